"""Is it batch normalization, or an untuned baseline? Each variant has a learning rate and batch of its own.

Each is tuned with the same budget on validation images; then the best configuration of each is trained under
fresh seeds and tested.

40 proposals and 40 runs of 30 epochs.

Cost: at the small scale 14 min on two CPU cores (Zen 3), measured with other work beside it. In full, by
arithmetic alone, which `harness plan tuned` does for your machine, 5 h on those cores and 36 s on an
H200 (not measured).
"""

from harness import Range, Scale, Search, Study, Variant

study = Study(
    name="tuned",
    question="Does batch normalization (BN) help a network that is tuned as well without it?",
    dataset="devanagari",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    seeds=20,
    epochs=30,
    settings={"validation": 0.2},
    search=Search(
        space={"lr": Range(0.001, 1.0, log=True), "batch_size": (8, 16, 32, 64, 128)},
        budget=20,
    ),
    scales={
        "small": Scale(
            seeds=8,
            epochs=6,
            budget=12,
            settings={
                "train_images": 3000,
                "test_images": 1000,
                "probe_size": 256,
                "diagnostics": (6,),
            },
        )
    },
)
