"""Workers that train nothing."""

import os
import time
from pathlib import Path


def work(folder, seconds):
    """Asks its chief for trials through KerasTuner's client until there are no more, and takes its time over each, of
    which it leaves a line in `folder`.
    """
    from keras_tuner.src.distribute.oracle_client import OracleClient
    from oracle_loop import end

    name = os.environ["KERASTUNER_TUNER_ID"]
    client = OracleClient(None)
    while True:
        trial = client.create_trial(name)
        if trial.status == "STOPPED":
            return
        with (Path(folder) / "begun.txt").open("a") as file:
            file.write(f"{trial.trial_id} {name} {os.getpid()} {os.environ['TF_NUM_INTRAOP_THREADS']}\n")
        time.sleep(seconds)
        end(client, trial)


def die(folder, times):
    """Ends with an error so many times; then as if there were no more trials."""
    path = Path(folder) / "deaths"
    deaths = int(path.read_text()) if path.exists() else 0
    path.write_text(str(deaths + 1))
    if deaths < times:
        os._exit(3)
