"""Likelihoods of the volunteers' votes, question by question, and what follows from them: fractions and intervals."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfgalaxy.data.questions import Questions
from tfgalaxy.models.beta_quantiles import beta_quantile

__all__ = [
    "VoteParameters",
    "asked_probability",
    "fraction_interval",
    "smooth_votes",
    "vote_fractions",
    "vote_log_prob",
    "vote_totals",
]

tfd = tfp.distributions


class VoteParameters(NamedTuple):
    """Parameters of the votes' distribution.

    Attributes:
        logits: [B, A], normalised within each question by a softmax.
        log_concentration: [B, Q], log of the Dirichlet's total concentration; None for multinomial votes.
    """

    logits: tf.Tensor
    log_concentration: tf.Tensor | None


def vote_totals(questions: Questions, votes: tf.Tensor) -> tf.Tensor:
    """Number of votes for each question: [B, A] to [B, Q]."""
    return tf.stack([tf.reduce_sum(votes[:, part], axis=-1) for part in questions.slices], axis=-1)


def vote_fractions(questions: Questions, logits: tf.Tensor) -> tf.Tensor:
    """Expected vote fractions, float32 [B, A]; those of each question sum to 1."""
    logits = tf.cast(logits, tf.float32)
    return tf.concat([tf.nn.softmax(logits[:, part]) for part in questions.slices], axis=-1)


def _log_prob(votes: tf.Tensor, logits: tf.Tensor, log_concentration: tf.Tensor | None) -> tf.Tensor:
    """log p(votes) of N questions with K answers each: votes and logits [B, N, K], log_concentration [B, N] or None;
    gives [B, N].
    """
    total = tf.reduce_sum(votes, axis=-1)
    asked = total > 0
    # Where nobody was asked, a stand-in vote keeps value and gradient finite; its term is then dropped. The
    # Dirichlet-multinomial of TFP is undefined at a total of zero.
    safe = tf.where(asked[..., tf.newaxis], votes, tf.one_hot(0, votes.shape[-1]))
    safe_total = tf.where(asked, total, 1.0)
    if log_concentration is None:
        distribution = tfd.Multinomial(safe_total, logits=logits)
    else:
        concentration = tf.exp(log_concentration)[..., tf.newaxis] * tf.nn.softmax(logits)
        # A fraction that underflows to 0 would make lgamma(0) - lgamma(0): not a number.
        distribution = tfd.DirichletMultinomial(safe_total, tf.maximum(concentration, 1e-6))
    return tf.where(asked, distribution.log_prob(safe), 0.0)


def vote_log_prob(questions: Questions, votes: tf.Tensor, parameters: VoteParameters) -> tf.Tensor:
    """Log-likelihood of the votes, in nats: votes [B, A] to float32 [B, Q]; 0 where nobody was asked.

    Multinomial votes are the paper's. Dirichlet-multinomial ones have p ~ Dirichlet(concentration * fraction) first, so
    that the volunteers of one galaxy may disagree with the prediction together. Votes need not be whole numbers.
    """
    sizes = [len(question.answers) for question in questions.questions]
    by_question = [tf.split(tf.cast(values, tf.float32), sizes, axis=-1) for values in (votes, parameters.logits)]
    if parameters.log_concentration is not None:
        by_question.append(tf.unstack(tf.cast(parameters.log_concentration, tf.float32), axis=-1))
    terms: dict[int, tf.Tensor] = {}
    # Questions with as many answers as each other together: half of the operations to trace.
    for size in sorted(set(sizes)):
        alike = [index for index, other in enumerate(sizes) if other == size]
        joined = [tf.stack([values[index] for index in alike], axis=1) for values in by_question]
        log_prob = _log_prob(*joined, *[None] * (3 - len(joined)))
        terms.update(zip(alike, tf.unstack(log_prob, axis=-1), strict=True))
    return tf.stack([terms[index] for index in range(questions.num_questions)], axis=-1)


def smooth_votes(questions: Questions, votes: tf.Tensor, mean_fractions: tf.Tensor, share: float) -> tf.Tensor:
    """Moves a share of each question's votes to `mean_fractions` [A]; totals, zero ones included, stay as they are."""
    totals = tf.gather(vote_totals(questions, votes), questions.question_index, axis=-1)  # [B, A]
    return (1.0 - share) * votes + share * totals * mean_fractions


def asked_probability(questions: Questions, fractions: tf.Tensor) -> tf.Tensor:
    """Probability that a volunteer is asked each question: [B, A] to [B, Q].

    asked(q) = sum over the answers a that lead to q of asked(question of a) * fraction(a), and 1 for a first question.
    """
    asked: dict[int, tf.Tensor] = {}
    for index in questions.order:
        parents = questions.parents[index]
        if not parents:
            asked[index] = tf.ones_like(fractions[:, 0])
            continue
        paths = [asked[int(questions.question_index[answer])] * fractions[:, answer] for answer in parents]
        asked[index] = tf.minimum(tf.add_n(paths), 1.0)
    return tf.stack([asked[index] for index in range(questions.num_questions)], axis=-1)


def fraction_interval(
    questions: Questions, parameters: VoteParameters, voters: float, probability: float = 0.9
) -> tuple[tf.Tensor, tf.Tensor]:
    """Interval of the fraction of votes that an answer gets among the volunteers who reach its question.

    With n volunteers and Dirichlet concentration c the count of an answer of mean fraction p is beta-binomial:
    Var(fraction) = p (1 - p) (1 + (n - 1) / (c + 1)) / n, and p (1 - p) / n for multinomial votes. The interval is
    that of the Beta distribution of the same mean and variance, whose concentration k solves 1 / (k + 1) = (1 + (n -
    1) / (c + 1)) / n.

    It is central, with half of what is left out on either side. But votes are whole: where the lower end is less than
    half a vote, no vote at all is among the likely outcomes. The interval then begins at 0, and all that is left out is
    above it; likewise at 1. From half a vote to a whole one the ends move from these to the central ones, so that none
    jumps for the last digits of a fraction, which differ between batches.

    Args:
        questions: the decision tree.
        parameters: of the votes' distribution.
        voters: volunteers who see the galaxy; a question is reached by `voters * asked_probability` of them, at least
            1.
        probability: mass inside the interval.

    Returns:
        lower and upper ends, float32 [B, A] each.
    """
    fractions = vote_fractions(questions, parameters.logits)
    reached = tf.maximum(voters * asked_probability(questions, fractions), 1.0)  # [B, Q]
    spread = 1.0 / reached
    if parameters.log_concentration is not None:
        spread = (1.0 + (reached - 1.0) / (tf.exp(parameters.log_concentration) + 1.0)) / reached
    # A single volunteer's fraction is 0 or 1: a Beta distribution of concentration 0, of which the least one is taken.
    concentration = tf.gather(1.0 / spread - 1.0, questions.question_index, axis=-1)  # [B, A]
    reached = tf.gather(reached, questions.question_index, axis=-1)
    # Lower ends, and what lies above the upper ends: lower ends for all other answers together.
    mean = tf.stack([fractions, 1.0 - fractions])
    left_out = 1.0 - probability
    half, whole = (beta_quantile(mean, concentration, mass, max(voters, 2.0)) for mass in (left_out / 2.0, left_out))
    central = tf.clip_by_value(2.0 * half * reached - 1.0, 0.0, 1.0)  # [2, B, A], at either end: 0 to half a vote
    ends = central * (half + (1.0 - central[::-1]) * (whole - half))
    return tf.minimum(ends[0], fractions), tf.maximum(1.0 - ends[1], fractions)
