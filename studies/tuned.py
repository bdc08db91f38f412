"""Does batch normalization help a small CNN when each variant has learning rate and batch size of its own?

Each variant is tuned with the same budget on validation images; then the best configuration of each is
trained under fresh seeds and tested. The embedded digits of `quick`; `harness plan tuned` estimates the time.
"""

from harness import Range, Search, Study, Variant

study = Study(
    name="tuned",
    question="Does batch normalization (BN) help a small CNN that is tuned as well without it?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    seeds=10,
    epochs=4,
    settings={"depth": 2, "probe_size": 256, "validation": 0.2},
    search=Search(
        space={"lr": Range(0.001, 1.0, log=True), "batch_size": (8, 16, 32, 64)},
        budget=20,
    ),
)
