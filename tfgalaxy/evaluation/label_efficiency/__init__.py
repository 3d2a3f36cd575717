"""How many labels each regime needs: an experiment of independent, resumable cells, its baselines and its report."""

from tfgalaxy.evaluation.label_efficiency.plan import BASELINES, REGIMES, Cell, Plan, select_cells

__all__ = ["BASELINES", "REGIMES", "Cell", "Plan", "select_cells"]
