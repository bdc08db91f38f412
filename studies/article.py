"""Do the article's three findings hold over seeds? Its two networks with its settings, 30 seeds.

60 runs of 30 epochs on 17,000 images.

Cost: 1 h 20 min on two CPU cores (Zen 5), from 24 runs measured there; 31 s on an H200 by arithmetic alone,
not measured. At the small scale, fewer seeds and epochs on all images, 12 min on two slower cores (Zen 3),
from 2 of its 16 runs measured there.
"""

from harness import Scale, Study, Variant

study = Study(
    name="article",
    question="Do the article's three findings on batch normalization (BN) hold over 30 seeds?",
    dataset="devanagari",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    baseline="plain",
    seeds=30,
    epochs=30,
    settings={"batch_size": 32, "lr": 0.001},
    scales={"small": Scale(seeds=8, epochs=4)},
)
