"""`tfgalaxy predict --runner`: a survey's predictions on Apache Beam, started from this machine."""

from __future__ import annotations

import glob
import os
import re
from typing import Any, NoReturn

from rich.console import Console

from tfgalaxy.configuration import check
from tfgalaxy.errors import InputError
from tfgalaxy.export.beam_runners import check_runner, default_threads, pipeline_options
from tfgalaxy.export.prediction_inputs import ImageFiles, catalogue_images, check_one_source, folder_images
from tfgalaxy.progress import console

__all__ = ["survey_command"]


def survey_command(export: str, output: str, **options: Any) -> None:
    """Runs the pipeline and waits for it.

    Args:
        export: an exported version.
        output: `FILE.parquet`, for `FILE-00000-of-000NN.parquet`.
        options: of the command line.

    Raises:
        InputError: something is missing, or output files of an earlier pipeline are there.
    """
    runner, arguments = options["runner"], options["pipeline_options"]
    check(output.endswith(".parquet"), "output", "must end in .parquet with --runner", output, "Name it so.")
    check_runner(runner, arguments)
    beam_options = pipeline_options(runner, arguments)
    from tfgalaxy.export.beam_model_handler import open_export

    threads = default_threads(runner, beam_options) if options["threads"] is None else options["threads"]
    handler = open_export(export, options["embedding"], options["voters"], threads)
    prefix = _prefix(output)
    list_file = f"{prefix}.rows.jsonl"
    rows = _rows(list_file, **options)
    screen = console(options["quiet"])
    screen.print(f"running on {runner}, with Beam's options {' '.join(arguments) or '(none)'}", soft_wrap=True)
    try:
        counts = _run(rows, handler, prefix, options["shards"], beam_options)
    except KeyboardInterrupt:
        if runner == "direct":
            _remove(list_file)
        else:  # which the cluster may still read
            screen.print("no longer waiting; the job goes on until it is cancelled on its cluster", soft_wrap=True)
        raise SystemExit(130) from None
    except BaseException:
        _remove(list_file)
        raise
    _remove(list_file)
    found = f"{counts.images:,} images, {counts.broken:,} broken ones with the reason, {counts.seconds:,.1f} s of model"
    Console().print(f"predictions: {prefix}-*.parquet ({found})", highlight=False, soft_wrap=True)


def _run(rows: Any, handler: Any, prefix: str, shards: int, options: Any) -> Any:
    import apache_beam as beam

    from tfgalaxy.export.beam_pipeline import PredictRows, WriteShards, counts_of

    try:
        pipeline = beam.Pipeline(options=options)
    except ValueError as error:
        raise InputError("what follows '--'", "must be what the runner needs", str(error), "Add the option.") from error
    _ = pipeline | rows | PredictRows(handler) | WriteShards(prefix, handler.columns, shards)
    try:
        result = pipeline.run()
        state = result.wait_until_finish()
    except Exception as error:  # runners raise whatever a worker did
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        _fail(f"{type(error).__name__}: {lines[-1] if lines else ''}")
    if state not in (None, "DONE"):
        _fail(f"it ended as {state}; the runner's log says why")
    return counts_of(result)


def _fail(reason: str) -> NoReturn:
    console().print(f"tfgalaxy: the pipeline failed: {reason}", soft_wrap=True, markup=False)
    raise SystemExit(1)


def _is_remote(path: str) -> bool:
    return "://" in path


def _prefix(output: str) -> str:
    """The output without its suffix, which workers can use whatever their folder is."""
    prefix = output.removesuffix(".parquet")
    if not _is_remote(prefix):
        prefix = os.path.abspath(prefix)
        os.makedirs(os.path.dirname(prefix), exist_ok=True)
    found = _first_match(f"{prefix}-*-of-*.parquet")
    check(found is None, "output", "must not be there yet", found, "Remove those files, or name another output.")
    return prefix


def _rows(list_file: str, **options: Any) -> Any:
    """The transform that gives the rows which the options ask for."""
    images, catalogue, tfrecords = (options[name] for name in ("images", "catalogue", "tfrecords"))
    check_one_source(images, catalogue, tfrecords)
    if tfrecords is not None:
        return _records(tfrecords, options["image_feature"], options["id_feature"])
    if catalogue is not None:
        rule, remedy = "must be a folder of this machine with --catalogue", "Mount it, or pack images into TFRecords."
        check(os.path.isdir(images), "--images", rule, images, remedy)
        return _listed(list_file, catalogue_images(catalogue, images, options["id_column"], options["file_column"]))
    if os.path.isdir(images):
        return _listed(list_file, folder_images(images))
    return _matched(images)


def _listed(list_file: str, inputs: ImageFiles) -> Any:
    """Listed on this machine, by the very rules of `tfgalaxy predict`."""
    from tfgalaxy.export.beam_inputs import ListedImages, write_list

    write_list(list_file, inputs.ids, inputs.files, inputs.reasons)
    return ListedImages(list_file)


def _matched(pattern: str) -> Any:
    from tfgalaxy.export.beam_inputs import MatchedImages

    is_glob = re.search(r"[*?\[]", pattern) is not None
    rule = "must be an existing folder, a glob, or a folder in an object store"
    check(is_glob or _is_remote(pattern), "--images", rule, pattern, "Check the path.")
    pattern = pattern if is_glob else f"{pattern.rstrip('/')}/**"
    return MatchedImages(_existing(pattern, "--images"))


def _existing(pattern: str, argument: str) -> str:
    """The absolute pattern, if something matches it."""
    pattern = pattern if _is_remote(pattern) else os.path.abspath(pattern)
    check(_first_match(pattern) is not None, argument, "must name at least one file", pattern, "Check the pattern.")
    return pattern


def _first_match(pattern: str) -> str | None:
    from apache_beam.io.filesystems import FileSystems

    found = FileSystems.match([pattern], limits=[1])[0].metadata_list
    return str(found[0].path) if found else None


def _records(pattern: str, image_feature: str, id_feature: str) -> Any:
    """TFRecord files of this machine's disks are named here, by the rules of `tfgalaxy predict`."""
    from tfgalaxy.export.beam_inputs import MatchedRecords, check_first_record

    if _is_remote(pattern):
        pattern = _existing(pattern, "--tfrecords")
        check_first_record(_first_match(pattern) or pattern, image_feature)
        return MatchedRecords(pattern, image_feature, id_feature)
    files = sorted(os.path.abspath(file) for file in glob.glob(pattern, recursive=True))
    check(len(files) > 0, "--tfrecords", "must name at least one file", pattern, "Check the pattern.")
    check_first_record(files[0], image_feature)
    return MatchedRecords(files, image_feature, id_feature)


def _remove(list_file: str) -> None:
    from apache_beam.io.filesystems import FileSystems

    if FileSystems.exists(list_file):
        FileSystems.delete([list_file])
