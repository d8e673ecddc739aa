"""Experiments: the paper's tables and figures and the usual protocols on any model.

registry    the list of experiments; experiments/ has one file for each
experiment  what an experiment is: options, what the paper says, `run`; result: what it comes to
context     models, pictures and embeddings that experiments share; cache: what is kept between runs
faces       faces of known people; views: how pictures are seen; embedding: from pictures to unit rows
pairs       listed pairs (LFW and protocols like it); holdout: all pairs of a hold-out set; groups: figures by group
report      many experiments on one page (page, plots); markdown: docs/reproduction.md
"""
