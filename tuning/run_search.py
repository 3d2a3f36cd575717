"""A whole search: in this process, with workers on this machine, or as a part of a cluster's."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfgalaxy.configuration import check
from tfgalaxy.data.catalogue import Catalogue
from tfgalaxy.data.pixels import load_pixels
from tfgalaxy.data.preprocessing import Preprocessing
from tfgalaxy.errors import InputError
from tfgalaxy.progress import console, progress_bar
from tfgalaxy.training.config import RunConfig
from tfgalaxy.training.regimes import phases
from tfgalaxy.training.run_data import prepare_data
from tfgalaxy.training.same_galaxies import digest_parts
from tfgalaxy.tuning.chief import LocalWorkers, chief_address, serve_until_done
from tfgalaxy.tuning.objectives import objective as make_objective
from tfgalaxy.tuning.oracles import MAX_FAILURES, make_oracle, planned_trials
from tfgalaxy.tuning.parallel_coordinates import write_picture
from tfgalaxy.tuning.results import TrialRow, read_rows, write_results
from tfgalaxy.tuning.search_directory import Algorithm, SearchDirectory, SearchPlan
from tfgalaxy.tuning.space import SearchSpace
from tfgalaxy.tuning.trial_repeats import epochs_done
from tfgalaxy.tuning.trial_run import TrialData, finish_trial
from tfgalaxy.tuning.tuner import RunTuner

__all__ = ["ALGORITHMS", "Search", "SearchOutcome", "load_trial_data", "role", "search"]

ALGORITHMS = ("random", "bayesian", "hyperband")
IN_MEMORY_BYTES = 2**31
GRID = (
    "KerasTuner's GridSearch (1.4.8) loses its place when it is stopped, and this search must be able to go on: use"
    " random, with lists in the space."
)


@dataclasses.dataclass(frozen=True)
class SearchOutcome:
    """What a search has come to.

    Attributes:
        directory: of the search.
        rows: its trials.
        best: the best of them; None if none has ended well, or for a worker of a cluster, which does not know.
    """

    directory: SearchDirectory
    rows: list[TrialRow]
    best: TrialRow | None


def role() -> str:
    """What KerasTuner's environment variables make of this process: "chief", "worker", or "alone" without them."""
    if "KERASTUNER_ORACLE_IP" not in os.environ:
        return "alone"
    for name in ("KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"):
        rule, remedy = "must be set where KERASTUNER_ORACLE_IP is", "See docs/tuning.md."
        check(name in os.environ, name, rule, os.environ.get(name), remedy)
    return "chief" if "chief" in os.environ["KERASTUNER_TUNER_ID"] else "worker"


def load_trial_data(
    config: RunConfig,
    catalogue: Catalogue,
    cache: str | os.PathLike[str] | None,
    sources: Mapping[str, Any],
    quiet: bool = False,
) -> TrialData:
    """Decodes the images of the train and validation parts and of the unlabelled pool; those of the test part are not
    touched.

    Raises:
        InputError: no validation galaxies, by which trials are judged; or fewer train galaxies than labels.
    """
    train, validation, _ = catalogue.split(config.data.split_seed, config.data.split_fractions)
    remedy = "Give a larger catalogue, or more of it to validation (data.split_fractions in --config)."
    check(len(validation) > 0, "catalogue", "must have galaxies in the validation part", 0, remedy)
    model = config.model
    settings = Preprocessing(image_size=model.image_size, channels=model.channels, crop_fraction=model.crop_fraction)
    files = [*train.files, *validation.files, *train.unlabelled_files]
    with progress_bar("reading images", "images", quiet) as report:
        pixels = load_pixels(files, settings, cache=cache, progress=report)
    if pixels.store.nbytes <= IN_MEMORY_BYTES:
        # As `tfgalaxy train` has them without --cache: read from the disk, batches differ in the last bit.
        pixels = dataclasses.replace(pixels, store=np.array(pixels.store))
    parts = prepare_data(config, catalogue, quiet=True, pixels=pixels)
    return TrialData(catalogue, pixels, len(parts.train), dict(sources))


def search(
    output: str | os.PathLike[str],
    catalogue: Catalogue,
    config: RunConfig,
    space: SearchSpace | None = None,
    *,
    algorithm: str = "bayesian",
    objective: str = "val_log_likelihood",
    trials: int = 12,
    workers: int = 0,
    stop_early: bool = True,
    seeds: int = 1,
    cache: str | os.PathLike[str] | None = None,
    sources: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> SearchOutcome:
    """Runs the trials that have not ended yet; may be called again after it was stopped or killed, or for more trials.

    The configuration itself is the first trial. Each trial is a run of `tfgalaxy train` with the same seed, or several
    with the same seeds. The best trial's first run is finished at the end, and its configuration stands in `best.json`.

    Args:
        output: the search's directory: new, or that of an earlier call.
        catalogue: split here by hash of the id; the test part is used for nothing.
        config: of all runs; what the space leaves open.
        space: what is searched.
        algorithm: "random" or "bayesian", which end poor trials by `MedianStopping`, or "hyperband".
        objective: name of what trials are judged by; see `tfgalaxy.tuning.objective`.
        trials: at most so many; Hyperband counts a trial that goes on to the next rung anew.
        workers: processes on this machine that train trials; 0 for this process alone. A script that asks for workers
            guards its main part by `__name__`, as with all processes of Python's.
        stop_early: whether `MedianStopping` may end trials.
        seeds: runs of each trial, with the seeds from the configuration's on; a trial is judged by their mean.
        cache: folder of decoded images; `output/cache` by default.
        sources: where the data came from, for the record.
        quiet: whether to show no progress.

    Raises:
        InputError: bad arguments, or another search in the directory, before a trial is begun; or three trials in a
            row that failed, with the reason of the last one.
    """
    check(algorithm != "grid", "algorithm", f"must be one of {', '.join(ALGORITHMS)}", algorithm, GRID)
    check(algorithm in ALGORITHMS, "algorithm", f"must be one of {', '.join(ALGORITHMS)}", algorithm, "Choose one.")
    check(trials >= 1, "trials", "must be at least 1", trials, "Use 12.")
    check(workers >= 0, "workers", "must not be negative", workers, "Use 0 for none but this process.")
    check(seeds >= 1, "seeds", "must be at least 1", seeds, "Use 1, or 3 where labels are few.")
    part = role()
    rule, remedy = "must be 0 in a chief or worker of a cluster", "Start one process for each worker."
    check(part == "alone" or workers == 0, "workers", rule, workers, remedy)
    make_objective(objective)
    space, directory = space or SearchSpace(), SearchDirectory(output)
    digest = digest_parts([catalogue], [*catalogue.files, *catalogue.unlabelled_files])
    plan = SearchPlan(algorithm, objective, space, config, digest, stop_early, seeds)  # type: ignore[arg-type]
    directory.store(plan, sources or {})
    data = load_trial_data(config, catalogue, cache or directory.cache, sources or {}, quiet)
    running = Search(directory, plan, data, trials, quiet)
    if part == "worker":
        running.work()
        return SearchOutcome(directory, [], None)
    if workers:
        arguments = {"output": str(output), "catalogue": catalogue, "config": config, "space": space}
        arguments |= {"algorithm": algorithm, "objective": objective, "trials": trials, "cache": cache}
        arguments |= {"stop_early": stop_early, "seeds": seeds}
        running.run_with_workers(workers, {**arguments, "sources": dict(sources or {}), "quiet": True})
    elif part == "chief":
        running.serve()
    else:
        running.run_here()
    return running.conclude()


class Search:
    """A search whose arguments have been checked.

    Args:
        directory: of the search.
        plan: what it is made from.
        data: what trials train on.
        trials: at most so many.
        quiet: whether to show no progress.
    """

    def __init__(
        self, directory: SearchDirectory, plan: SearchPlan, data: TrialData, trials: int, quiet: bool = False
    ) -> None:
        self.directory, self.plan, self.data, self.quiet = directory, plan, data, quiet
        training = plan.config.training
        epochs = training.classifier_epochs(data.labels)
        goal = make_objective(plan.objective)
        algorithm: Algorithm = plan.algorithm
        self.oracle = make_oracle(algorithm, goal, trials, epochs, training.seed)
        self.best: TrialRow | None = None

    def work(self) -> None:
        """As a worker: trains what the chief hands out, until there is nothing more."""
        RunTuner(self.oracle, self.directory, self.plan, self.data).search()

    def run_here(self) -> None:
        """Trains all trials in this process."""
        with self._progress() as show:

            def note_end(trial: Any) -> None:
                self._note_end()
                show()

            tuner = RunTuner(self.oracle, self.directory, self.plan, self.data, show, note_end)
            tuner.save()  # from here on it can go on
            show()
            tuner.search()

    def run_with_workers(self, count: int, arguments: Mapping[str, Any]) -> None:
        """Hands trials out to processes on this machine.

        Args:
            count: of workers.
            arguments: of `search`, which a worker calls.
        """
        self._prepare_oracle()
        say = console(self.quiet).print
        workers = LocalWorkers(self.oracle, _search_as_worker, arguments, count, say)
        with self._progress() as show:
            workers.run(lambda: self._poll(show))

    def serve(self) -> None:
        """As the chief of a cluster."""
        self._prepare_oracle()
        console(self.quiet).print(f"chief at {chief_address()}: waiting for workers")
        with self._progress() as show:
            serve_until_done(self.oracle, chief_address(), lambda: self._poll(show))

    def conclude(self) -> SearchOutcome:
        """Table, picture and best run of a search that has ended."""
        rows = read_rows(self.oracle, self.directory)
        best = write_results(rows, self.directory, self.plan.objective)
        if best is not None:
            write_picture(rows, self.plan.objective, self.directory.figure_files)
        if self.oracle.failures >= MAX_FAILURES:
            rule = f"must hold no more than {MAX_FAILURES - 1} configurations in a row that fail"
            raise InputError("space", rule, rows[-1].reason, "See the table of trials; then the same command goes on.")
        if best is not None and best.status == "completed":
            finish_trial(best.trial, self.data, self.directory)
        return SearchOutcome(self.directory, rows, best)

    def _prepare_oracle(self) -> None:
        """Reads the oracle's state back, or names the space to it."""
        RunTuner(self.oracle, self.directory, self.plan).save()
        self._ended = -1

    def _note_end(self) -> None:
        self.best = write_results(read_rows(self.oracle, self.directory), self.directory, self.plan.objective)

    def _poll(self, show: Any) -> None:
        ended = len(self.oracle.end_order)
        if ended != self._ended:
            self._ended = ended
            self._note_end()
        show()

    @contextmanager
    def _progress(self) -> Iterator[Any]:
        """Yields `show(trial, epochs)`: a bar over the epochs of all trials, as if they were alike."""
        whole = phases(self.plan.config.training, self.data.labels)[-1].last_epoch * self.plan.seeds
        before: list[int] = []
        with progress_bar("tuning", "epochs", self.quiet) as report:

            def show(trial: Any = None, epochs: int = 0) -> None:
                ended, total = len(self.oracle.end_order), planned_trials(self.oracle)
                ongoing = list(self.oracle.ongoing_trials.values())
                counts = [epochs if one is trial else self._epochs_done(one) for one in ongoing]
                before.append(ended)
                score = "" if self.best is None or self.best.score is None else f", best {self.best.score:.4f}"
                text = f"{ended} of {total} trials{score}"
                done = (ended - before[0]) * whole + sum(min(count, whole) for count in counts)
                if done:
                    report(done, max((total - before[0]) * whole, done), text)

            yield show

    def _epochs_done(self, trial: Any) -> int:
        return epochs_done(self.directory, trial.trial_id, self.plan.seeds)


def _search_as_worker(**arguments: Any) -> None:
    search(**arguments)
