"""The pipeline of a survey's predictions: rows in, the table of `tfgalaxy predict` out, as Parquet in shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow
from apache_beam.io.parquetio import WriteToParquetBatched
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.runners.runner import PipelineResult
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from tfgalaxy.export.beam_inputs import BROKEN, GOOD
from tfgalaxy.export.beam_model_handler import COUNTERS, Prediction, SavedModelHandler
from tfgalaxy.export.prediction_columns import prediction_table

__all__ = ["TABLE_ROWS", "Counts", "PredictRows", "WriteShards", "counts_of", "table_schema"]

# Rows of a table, and of a row group of the files: enough for columns to compress.
TABLE_ROWS = 2048


class Counts(NamedTuple):
    """What a pipeline counted.

    Attributes:
        images: rows of the table.
        broken: rows with a reason instead of numbers.
        seconds: time in which the model ran, summed over all workers.
    """

    images: int
    broken: int
    seconds: float


def table_schema(columns: Sequence[str]) -> pyarrow.Schema:
    """The types of the table's columns, those of the numbers being `columns`."""
    texts = {"id": pyarrow.string(), "file": pyarrow.string(), "valid": pyarrow.int8(), "reason": pyarrow.string()}
    return pyarrow.schema({**texts, **{name: pyarrow.float32() for name in columns}})


class PredictRows(beam.PTransform):
    """Rows, as the transforms of `tfgalaxy.export.beam_inputs` give them, to tables of predictions.

    Counts `images` and `broken`.

    Args:
        handler: of the model.
    """

    def __init__(self, handler: SavedModelHandler) -> None:
        super().__init__()
        self.handler = handler

    def expand(self, rows: dict[str, beam.PCollection]) -> beam.PCollection:
        """PCollection of `pyarrow.Table` of at most `TABLE_ROWS` rows."""
        predicted = rows[GOOD] | "Predict" >> RunInference(KeyedModelHandler(self.handler))
        fill = beam.ParDo(_FillTables(self.handler.columns)).with_output_types(pyarrow.Table)
        return (predicted, rows[BROKEN]) | beam.Flatten() | "Tables" >> fill


class _FillTables(beam.DoFn):
    """((id, file), numbers or reason) to tables; a bundle's last one is as long as it is."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__()
        self.columns = list(columns)

    def start_bundle(self) -> None:
        self._rows: list[tuple[tuple[str, str], Prediction]] = []

    def process(self, row: tuple[tuple[str, str], Prediction]) -> Iterator[pyarrow.Table]:
        self._rows.append(row)
        if len(self._rows) == TABLE_ROWS:
            yield self._table()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._rows:
            window = GlobalWindow()
            yield WindowedValue(self._table(), window.max_timestamp(), [window])

    def _table(self) -> pyarrow.Table:
        rows, self._rows = self._rows, []
        reasons = [result if isinstance(result, str) else "" for _, result in rows]
        missing = np.full(len(self.columns), np.nan, np.float32)
        numbers = np.stack([missing if isinstance(result, str) else result for _, result in rows])
        Metrics.counter(COUNTERS, "images").inc(len(rows))
        Metrics.counter(COUNTERS, "broken").inc(sum(map(bool, reasons)))
        ids, files = zip(*(key for key, _ in rows), strict=True)
        table = prediction_table(ids, files, reasons, self.columns, numbers)
        return pyarrow.Table.from_pandas(table, table_schema(self.columns), preserve_index=False)


class WriteShards(beam.PTransform):
    """Writes tables to `PREFIX-00000-of-000NN.parquet`; files appear under these names when all are whole.

    Args:
        prefix: path without number and suffix.
        columns: names of the numbers.
        shards: number of files; 0 leaves it to the runner, which saves it from sending all rows to as many writers.
    """

    def __init__(self, prefix: str, columns: Sequence[str], shards: int = 0) -> None:
        super().__init__()
        self.prefix, self.columns, self.shards = prefix, list(columns), shards

    def expand(self, tables: beam.PCollection) -> beam.PCollection:
        """The files' names."""
        return tables | WriteToParquetBatched(
            self.prefix,
            table_schema(self.columns),
            codec="snappy",
            file_name_suffix=".parquet",
            num_shards=self.shards,
        )


def counts_of(result: PipelineResult) -> Counts:
    """What a finished pipeline counted; zeros where its runner does not tell."""
    counters = result.metrics().query(MetricsFilter().with_namespace(COUNTERS))["counters"]
    found: dict[str, int] = {}
    for counter in counters:
        name, value = counter.key.metric.name, counter.committed or counter.attempted or 0
        found[name] = found.get(name, 0) + value
    return Counts(found.get("images", 0), found.get("broken", 0), found.get("milliseconds", 0) / 1000)
