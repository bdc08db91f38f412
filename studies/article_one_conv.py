"""And in the author's smaller network? As `article`, with one convolution.

The sampled weights are those of the author's code: filters 3 and 8, channel 0, row 1, column 0.

60 runs of 30 epochs on 17,000 images.

Cost: at the small scale 9 min on two CPU cores (Zen 3), measured. In full, by arithmetic alone, which
`harness plan article_one_conv` does for your machine, 1 h on those cores and 10 s on an H200 (not measured).
"""

from harness import Scale, Study, Variant

study = Study(
    name="article_one_conv",
    question="Do the article's findings on batch normalization (BN) hold in a network with one convolution?",
    dataset="devanagari",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    seeds=30,
    epochs=30,
    settings={
        "depth": 1,
        "batch_size": 32,
        "lr": 0.001,
        "watched_weights": ("conv1.weight:3,0,1,0", "conv1.weight:8,0,1,0"),
    },
    scales={"small": Scale(seeds=12, epochs=10)},
)
