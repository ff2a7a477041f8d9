"""The demonstration's report: plain words first, then the figures."""

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from serving.demo.real import RealResult
from serving.demo.simulated import SimulatedResult
from serving.demo.words import describe_decision
from serving.records import Decision
from training.datasets.provenance import NotEnoughData
from training.gate import Hold, Promote
from training.registry.entries import ModelName
from training.reports.page import Grid, Page, Picture, Section
from training.train import TrainedModel

_ARM_COLOURS = {"learned": "#0b6e6e", "random": "#8a94a3", "rules": "#b8742a", "holdout": "#c9cfd8"}
_CHURN_MEASURES = {
    "auc": "ranks a churner above a stayer (AUC)",
    "average_precision": "average precision",
    "calibration_error": "calibration error",
    "log_loss": "log loss",
}


def make_page(
    real: RealResult, simulated: SimulatedResult, *, seconds: Mapping[str, float], peak_gib: float
) -> Page:
    """The whole report."""
    return Page(
        title="Opportune: the whole loop, once",
        lead=(
            "Whom to message, when, on which channel and with which words: learned from a real "
            "grocer's year, then acted out in a simulated world whose truth is known."
        ),
        sections=(
            _churn_section(real),
            _real_decisions_section(real),
            _models_section(simulated),
            _loop_section(simulated),
            _decision_section(simulated),
            _cost_section(seconds, peak_gib=peak_gib),
        ),
        footer=(
            "Made by `opportune demo`. Real data: Complete Journey (CC0). Every interval is a "
            "95 % bootstrap interval over customers unless it says otherwise."
        ),
    )


def _churn_section(real: RealResult) -> Section:
    found = real.training[ModelName.CHURN]
    if isinstance(found, NotEnoughData):
        return Section("Real households: who is about to leave", (found.reason,))
    m = found.metrics
    gain = (
        f"On months later than anything it was trained on, the model ranks with an AUC of "
        f"{m['auc']:.3f}; knowing only the days since the last visit gives "
        f"{m['auc_baseline']:.3f}. The paired difference is {m['auc_gain']:+.3f} "
        f"[{m['auc_gain_low']:+.3f}, {m['auc_gain_high']:+.3f}]. It was judged on "
        f"{m['n_test']:,.0f} household-months, of which {m['n_test_positives']:,.0f} churned."
    )
    rows = [
        (words, *(_interval(m, f"{name}{suffix}") for suffix in ("", "_baseline", "_gain")))
        for name, words in _CHURN_MEASURES.items()
    ]
    return Section(
        "Real households: who is about to leave",
        (gain, "The data does not say everything; what had to be assumed:"),
        points=real.assumptions,
        grids=(Grid(("measure", "model", "recency only", "difference"), rows),),
        pictures=_pictures(found),
    )


def _real_decisions_section(real: RealResult) -> Section:
    n_sent = sum(decision.send for decision in real.decisions)
    words = (
        f"As of {real.as_of:%d %B %Y}, {len(real.decisions):,} cases were found among the "
        f"households: {n_sent:,} lead to a message, the others are refused or held out, each with "
        "its reason. The mailings of this data were not randomised, so the rules policy decides."
    )
    gate = f"The gate on the channel model: {_gate_word(real.gate, ModelName.CHANNEL)}."
    risky = [
        (
            answer.customer_id,
            f"{answer.p_churn:.0%}",
            str(answer.tier),
            answer.playbook.intervention if answer.playbook else "",
            " ".join(f"{reason.words}." for reason in answer.reasons[:2]),
        )
        for answer in real.riskiest
    ]
    return Section(
        "Real households: what to do today",
        (words, gate),
        grids=(
            _reasons_grid(real.decisions),
            Grid(("household", "churn", "tier", "playbook", "because of"), risky, "Most at risk"),
        ),
    )


def _models_section(simulated: SimulatedResult) -> Section:
    size = simulated.size
    words = (
        f"{size.n_customers:,} customers lived for {size.history_days} days in a world that we "
        "made, so we know what is true about it. All models were trained on its tables alone, "
        "logged to MLflow, and sent through the gate."
    )
    rows = [
        (name.value, *_describe_model(found), _gate_word(simulated.gate, name))
        for name, found in simulated.training.items()
    ]
    return Section(
        "Simulated world: the models",
        (words,),
        grids=(Grid(("model", "version", "on later days", "gate"), rows),),
        pictures=_pictures(simulated.training[ModelName.CHURN]),
    )


def _loop_section(simulated: SimulatedResult) -> Section:
    arms = simulated.log.by_arm()
    n_cases = len(simulated.log.cases)
    loop = (
        f"For {simulated.size.loop_days} days the service decided {n_cases:,} cases over HTTP; "
        f"the messages were delivered in the world, and {simulated.log.n_outcomes:,} outcomes "
        f"were fed back. The bandit had learned from {simulated.n_rewards_before:,} messages "
        f"before and from {simulated.n_rewards_after:,} after. What each message was truly worth "
        "against no message, as only the world knows, is summed up below by arm."
    )
    caveat = "A few days of few customers demonstrate, they do not prove: read the intervals."
    rows = [
        (
            str(arm),
            f"{row['n_cases']:,.0f}",
            f"{row['n_sent']:,.0f}",
            f"{row['mean_cents']:+.2f}",
            f"[{row['low']:+.2f}, {row['high']:+.2f}]",
        )
        for arm, row in arms.iterrows()
    ]
    header = ("arm", "cases", "sent", "true cents per case", "95 % interval")
    return Section(
        "Simulated world: a closed loop through the service",
        (loop, caveat),
        grids=(Grid(header, rows),),
        pictures=(
            Picture(
                _draw_arms(simulated),
                "True value per case by arm, with 95 % intervals; nothing sent is worth 0.",
            ),
        ),
    )


def _decision_section(simulated: SimulatedResult) -> Section:
    decision = simulated.log.example
    if decision is None:
        return Section("One decision", ("Nothing was sent.",))
    return Section(
        "One decision, in words and as the record that is kept",
        describe_decision(decision),
        listing=decision.model_dump_json(indent=2),
    )


def _cost_section(seconds: Mapping[str, float], *, peak_gib: float) -> Section:
    rows = [(name, f"{taken:.1f}") for name, taken in seconds.items()]
    rows.append(("together", f"{sum(seconds.values()):.1f}"))
    return Section(
        "What it took",
        (f"Peak memory of the process: {peak_gib:.2f} GiB.",),
        grids=(Grid(("stage", "seconds"), rows),),
    )


def _draw_arms(simulated: SimulatedResult) -> Figure:
    arms = simulated.log.by_arm()
    figure = Figure(figsize=(7, 2.8))
    axes = figure.subplots()
    names = [str(name) for name in arms.index]
    axes.barh(
        names,
        arms["mean_cents"],
        xerr=(arms["mean_cents"] - arms["low"], arms["high"] - arms["mean_cents"]),
        color=[_ARM_COLOURS[name] for name in names],
        capsize=3,
    )
    axes.invert_yaxis()
    axes.axvline(0, color="#1c2430", linewidth=0.8)
    axes.set_xlabel("true value per case, cents")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _reasons_grid(decisions: Sequence[Decision]) -> Grid:
    counts = Counter((d.trigger.value, d.arm.value, d.reason.value) for d in decisions)
    rows = [(*key, f"{n:,}") for key, n in sorted(counts.items())]
    return Grid(("trigger", "arm", "reason", "decisions"), rows, "Decisions by reason")


def _pictures(found: TrainedModel | NotEnoughData) -> tuple[Picture, ...]:
    if isinstance(found, NotEnoughData):
        return ()
    captions = {
        "calibration": "Foretold against observed churn, on later rows than any it was trained on.",
        "precision_recall": "How many of those called do churn, by how many churners are found.",
    }
    return tuple(
        Picture(found.plots[name], caption)
        for name, caption in captions.items()
        if name in found.plots
    )


def _describe_model(found: TrainedModel | NotEnoughData) -> tuple[str, str]:
    if isinstance(found, NotEnoughData):
        return "-", found.reason
    m = found.metrics
    if "auc" in m:
        words = f"AUC {m['auc']:.3f} (recency only {m['auc_baseline']:.3f})"
    elif "clicked.auc" in m:
        words = f"AUC of a click {m['clicked.auc']:.3f} (rates {m['clicked.auc_baseline']:.3f})"
    elif "loss_over_population" in m:
        words = f"nats per event over everybody's week {m['loss_over_population']:+.4f}"
    else:
        words = ""
    return found.version.version, words


def _gate_word(gate: Sequence[Promote | Hold], name: ModelName) -> str:
    for answer in gate:
        if answer.name is name:
            if isinstance(answer, Promote):
                return "promoted"
            return "held: " + "; ".join(answer.reasons)
    return "not trained"


def _interval(metrics: Mapping[str, float], name: str) -> str:
    low, high = metrics[f"{name}_low"], metrics[f"{name}_high"]
    return f"{metrics[name]:.3f} [{low:.3f}, {high:.3f}]"
