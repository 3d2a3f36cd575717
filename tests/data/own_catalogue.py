"""A small decision tree and a table of its votes."""

from tfgalaxy.data.questions import Question, Questions

OWN = Questions("own", (Question("bar", ("yes", "no")), Question("arms", ("1", "2"), (("bar", "yes"),))))
HEADER = ["id", "bar_yes", "bar_no", "arms_1", "arms_2"]
GOOD = [["a", 3, 1, 2, 1], ["b", 0, 5, 0, 0], ["c", 2, 2, 0, 2], ["d", 1, 0, 1, 0]]
