"""The report of a run: one page that a person looks at before believing, and its figures one by one.

`material` says what a report is made from, `collect` gets it from a run, and the other modules need no TensorFlow.
"""

from __future__ import annotations
