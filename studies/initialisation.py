"""Does batch normalization forgive bad initialisation? Four usual ones, one too small and one too large.

12 cells × 20 seeds = 240 runs of 30 epochs.

Cost: at the small scale 9 min on two CPU cores (Zen 3), measured. In full, by arithmetic alone, which
`harness plan initialisation` does for your machine, 17 h on those cores and 2 min on an H200 (not measured).
"""

from harness import Factor, Finding, Scale, Study, Variant

study = Study(
    name="initialisation",
    question="Does batch normalization (BN) forgive bad initialisation?",
    dataset="devanagari",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    factors=(Factor("init", ("default", "kaiming", "xavier", "orthogonal", "small", "large")),),
    seeds=20,
    epochs=30,
    settings={"lr": 0.01},
    findings=(
        Finding(
            "accuracy",
            claim="test accuracy is higher",
            endpoint="log_error",
            better="lower",
            source="the article's first claim, here as a mean over initialisations",
        ),
        Finding(
            "too-small",
            claim="weights that start ten times too small cost fewer errors",
            endpoint="log_error",
            better="lower",
            over="init",
            levels=("default", "small"),
            source="Ioffe & Szegedy (2015): batch normalization lets us be less careful about initialization",
        ),
        Finding(
            "too-large",
            claim="weights that start ten times too large cost fewer errors",
            endpoint="log_error",
            better="lower",
            over="init",
            levels=("default", "large"),
            source="Ioffe & Szegedy (2015): batch normalization lets us be less careful about initialization",
        ),
        Finding(
            "convergence",
            claim="training converges in fewer epochs",
            endpoint="epochs_to_threshold",
            better="lower",
            family="secondary",
            source="the article's second claim, here as a mean over initialisations",
        ),
    ),
    scales={
        "small": Scale(
            seeds=8,
            epochs=6,
            settings={
                "train_images": 1600,
                "test_images": 1000,
                "probe_size": 128,
                "diagnostics": (6,),
            },
        )
    },
)
