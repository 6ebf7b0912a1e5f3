"""Train the scorer of 14 extract: which blocks of a page are its main content.

The data are pages whose main text was marked (by models, then reviewed): one JSON object a line with `html`, `url`, `page_type` and `text`
(the WCXB dev split, CC BY 4.0, Murrough Foley, has this form). Pages are split by host, by a hash, into two halves: the
scorer is trained on one and never sees the other, which `benchmarks/extraction.py` reports. `--folds` measures by
cross-validation inside the training half, for trying things out; without it, the scorer is written to `--out`.

    python benchmarks/train_extract.py pages.jsonl.xz --folds 5
    python benchmarks/train_extract.py pages.jsonl.xz --out dsnotes/models/blocks.npz

How it works. Each block gets a label: the share of its words that a longest common subsequence with the marked text
covers. A logistic regression learns the kind of page; its answers for the training pages come from models that did not
see them. Then small networks learn the labels, each page one step of Adam (Kingma & Ba, 2015): the loss is the cross
entropy of the blocks plus one minus the page's soft F1, so that a page counts as a page. Pages are shown whole and
thinned, with parts of them cut out at random, since a few hundred pages are few.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from tqdm.auto import tqdm

from dsnotes import extract
from dsnotes.extract import KINDS, Blocks, PageFeatures, Scorer
from dsnotes.records import atomic_path

NAMES, PHRASES = 128, 112  # how many words of class names, and of short texts, the scorer knows
NETS = {"fast": 3, "best": 6}  # networks side by side
HIDDEN, EPOCHS, COPIES = 24, 12, 2
RATE, DECAY, DROP, DROP_INPUT = 2e-3, .02, .5, .2


def read_pages(
    path: Path,  # A .jsonl or .jsonl.xz
) -> list[dict[str, Any]]:  # With html, url, page_type, text (null: not marked)
    """The pages of a file."""
    opened = lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8")
    with opened as lines: return [json.loads(line) for line in lines if line.strip()]


def host_of(
    url: str,  # A page's address
) -> str:  # Without `www.`
    """The host, by which pages are split: two pages of one site are never on both sides."""
    return (urlsplit(url).hostname or "").removeprefix("www.")


def half_of(
    url: str,  # A page's address
) -> int:  # 0: for training and trying out; 1: for reporting
    """The half that a page belongs to, for ever."""
    return int(hashlib.sha256(host_of(url).encode()).hexdigest(), 16) % 2


def words_of(
    text: str,  # Any text
) -> list[str]:  # Lower case
    """The words by which texts are compared."""
    return extract._WORD.findall(text.lower())


def word_f1(
    text: str,  # What was extracted
    right: str,  # What was marked
) -> float:  # 0 to 1
    """The harmonic mean of precision and recall over words, each counted as often as it occurs."""
    ours, theirs = Counter(words_of(text)), Counter(words_of(right))
    return 2 * (ours & theirs).total() / max(ours.total() + theirs.total(), 1)


# ---------------------------------------------------------------------------------------------------- labels
def label_blocks(
    texts: Sequence[str],  # A page's blocks
    right: str,  # Its marked main text
) -> np.ndarray:  # (n_blocks,) 0 to 1
    """The share of each block's words that belong to the marked text, in its order or in runs of three."""
    from rapidfuzz.distance import LCSseq

    said, marked = [words_of(text) for text in texts], words_of(right)
    ids: dict[str, int] = {}
    page = [ids.setdefault(word, len(ids)) for words in said for word in words]
    hit = np.zeros(len(page) + 1)
    for step in LCSseq.opcodes(page, [ids.setdefault(word, len(ids)) for word in marked]):
        if step.tag == "equal": hit[step.src_start:step.src_end] = 1
    ends = np.cumsum([len(words) for words in said])
    total = np.append(0, np.cumsum(hit))
    share = (total[ends] - total[ends - [len(words) for words in said]]) / np.maximum([len(w) for w in said], 1)
    runs = set(zip(marked, marked[1:], marked[2:], strict=False))
    for number, words in enumerate(said):  # text that stands elsewhere than in the marked text is out of order
        if len(words) < 4 or share[number] >= .6: continue
        own = list(zip(words, words[1:], words[2:], strict=False))
        share[number] = max(share[number], sum(run in runs for run in own) / len(own))
    return share.astype(np.float32)


@dataclass
class Sample:
    """A page to learn from."""
    url: str
    html: str
    kind: int
    text: str
    blocks: Blocks
    labels: np.ndarray
    votes: np.ndarray  # (n_blocks, 2) of the engines


def make_sample(page: dict[str, Any]) -> Sample:
    """A page with its blocks, their labels and the engines' votes."""
    blocks = extract.read_blocks(page["html"])
    labels = label_blocks(blocks.texts, page["text"] or "") if len(blocks) else np.zeros(0, np.float32)
    votes = extract.engine_votes(blocks.texts, extract.run_engines(page["html"]))
    return Sample(page["url"], page["html"], KINDS.index(page["page_type"]), page["text"] or "", blocks, labels, votes)


def thinned(sample: Sample, chance: np.random.Generator) -> tuple[Blocks, np.ndarray]:  # (blocks, which are left)
    """The page without some parts of it, chosen at random: elements, and now and then blocks that are not content."""
    blocks, kept = sample.blocks, np.ones(len(sample.blocks), bool)
    first, last = np.asarray(blocks.first), np.asarray(blocks.last)
    parts = np.flatnonzero((last > first) & (last - first < len(blocks) / 2))
    many = min(len(parts), int(chance.integers(1, 7)))
    for part in chance.choice(parts, many, replace=False) if many else []: kept[first[part]:last[part]] = False
    if chance.random() < .3: kept &= ~((sample.labels < .2) & (chance.random(len(kept)) < chance.random()))
    if kept.sum() < 8 or (sample.labels * kept).sum() < 1: kept[:] = True
    at = np.append(0, np.cumsum(kept))

    def left(values: Sequence[Any]) -> list[Any]: return [value for value, keep in zip(values, kept, strict=True) if keep]
    thin = Blocks(left(blocks.texts), left(blocks.owner), left(blocks.linked), blocks.parent, blocks.tag, blocks.name,
        at[first].tolist(), at[last].tolist(), blocks.hidden)
    return thin, kept


# ---------------------------------------------------------------------------------------------------- vocabularies
def _most_telling(
    seen: Iterable[tuple[str, str, float, float]], many: int, hosts: int, prior: float,
) -> dict[str, int]:  # word -> its column
    """The words that differ most between content and the rest, if enough hosts use them."""
    good: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    where: dict[str, set[str]] = defaultdict(set)
    for word, host, weight, label in seen:
        where[word].add(host)
        good[word] += weight * label
        bad[word] += weight * (1 - label)

    def telling(word: str) -> float:
        return len(where[word]) ** .5 * abs(math.log((good[word] + prior) / (bad[word] + prior)))
    chosen = sorted((word for word in where if len(where[word]) >= hosts), key=lambda word: (-telling(word), word))
    return {word: column for column, word in enumerate(chosen[:many])}


def learn_names(samples: Sequence[Sample], many: int = NAMES) -> dict[str, int]:
    """The words of class names and tags that tell content from boilerplate."""
    def seen() -> Iterable[tuple[str, str, float, float]]:
        for sample in samples:
            page, names = sample.blocks, [frozenset[str]()]
            for e in range(1, len(page.parent)):
                names.append(names[page.parent[e]] | extract.name_parts(page.tag[e], page.name[e]))
            lengths = np.array([len(text.split()) for text in page.texts])
            weights = np.sqrt(np.minimum(lengths, 30)) / np.sqrt(max(lengths.sum(), 1))
            for owner, label, weight in zip(page.owner, sample.labels, weights, strict=True):
                for name in names[owner]: yield name, host_of(sample.url), float(weight), float(label)
    return _most_telling(seen(), many, hosts=6, prior=1)


def learn_phrases(samples: Sequence[Sample], many: int = PHRASES) -> dict[str, int]:
    """The words of short texts that tell content from boilerplate."""
    def seen() -> Iterable[tuple[str, str, float, float]]:
        for sample in samples:
            weight = len(sample.blocks) ** -.5
            for text, label in zip(sample.blocks.texts, sample.labels, strict=True):
                words = text.lower().split()
                if len(words) > 10: continue
                for word in {word.strip(".,:!?()\"|") for word in words}:
                    if len(word) > 1: yield word, host_of(sample.url), weight, float(label)
    return _most_telling(seen(), many, hosts=8, prior=.5)


# ---------------------------------------------------------------------------------------------------- kinds
def fit_kinds(
    x: np.ndarray,  # (n_pages, n_features)
    kinds: np.ndarray,  # (n_pages,) of numbers in KINDS
    penalty: float = 50,  # Of squared weights
    steps: int = 400,
) -> dict[str, np.ndarray]:
    """Multinomial logistic regression by accelerated gradient descent (Nesterov, 1983)."""
    mean, spread = x.mean(0), x.std(0) + .05
    z, right = (x - mean) / spread, np.eye(len(KINDS))[kinds]
    strength = penalty / len(z)
    rate = 1 / (np.linalg.norm(z, 2) ** 2 / len(z) / 2 + strength)
    weights, bias = np.zeros((z.shape[1], len(KINDS))), np.zeros(len(KINDS))
    ahead, ahead_bias = weights, bias
    for step in range(steps):
        logits = z @ ahead + ahead_bias
        odds = np.exp(logits - logits.max(1, keepdims=True))
        wrong = odds / odds.sum(1, keepdims=True) - right
        new, new_bias = ahead - rate * (z.T @ wrong / len(z) + strength * ahead), ahead_bias - wrong.mean(0)
        push = step / (step + 3)
        ahead, ahead_bias = new + push * (new - weights), new_bias + push * (new_bias - bias)
        weights, bias = new, new_bias
    return {"kind_mean": mean, "kind_spread": spread, "kind_weights": weights, "kind_bias": bias}


def fold_of(url: str, salt: str, folds: int) -> int:
    """The fold of a page's host."""
    return int(hashlib.sha256(f"{salt}{host_of(url)}".encode()).hexdigest(), 16) % folds


# ---------------------------------------------------------------------------------------------------- networks
def spread_back(gradients: Sequence[np.ndarray], features: PageFeatures) -> np.ndarray:
    """What `_means` hands from block to block, handed back: the transpose of each of its averages."""
    weight = np.sqrt(features.words)[:, None].astype(np.float32)
    n, nothing = len(weight), np.zeros((1, gradients[0].shape[1]), np.float32)
    low, high = np.maximum(np.arange(n) - 5, 0), np.minimum(np.arange(n) + 6, n)
    load = np.append(0, np.cumsum(weight))
    near = gradients[2] / (load[high] - load[low])[:, None]
    upto = np.concatenate([nothing, np.cumsum(near, 0)])
    back = np.concatenate([gradients[0][1:], nothing]) + np.concatenate([nothing, gradients[1][:-1]])
    back += weight * (upto[high] - upto[low])
    for gradient, group in zip(gradients[3:], [*features.groups, np.zeros(n, int)], strict=True):
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        sums = np.add.reduceat(gradient[order], starts) / np.add.reduceat(weight[order], starts)
        back += weight * sums[group]
    return back


@dataclass
class Lesson:
    """What a network learns from in one step: a page, whole or thinned."""
    x: np.ndarray
    labels: np.ndarray
    features: PageFeatures


class Net:
    """A network of two layers with hearsay between them, its gradients by hand, and Adam."""
    def __init__(self, inputs: int, seed: int) -> None:
        self.chance, heard = np.random.default_rng(seed), 9 * HIDDEN
        shapes = [(inputs, HIDDEN), (HIDDEN,), (heard, HIDDEN), (HIDDEN,), (HIDDEN, 1), (1,)]
        self.weights = [
            (self.chance.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32) if len(shape) == 2 else
            np.zeros(shape, np.float32) for shape in shapes]
        self.means, self.squares = ([np.zeros_like(w) for w in self.weights] for _ in range(2))
        self.steps = 0

    def gradients(self, lesson: Lesson) -> list[np.ndarray]:
        """Of the loss on one page, with parts of input and hearsay left out at random (Srivastava et al., 2014)."""
        w_in, b_in, w_middle, b_middle, w_out, b_out = self.weights
        there = self.chance.random(lesson.x.shape[1]) > DROP_INPUT
        x = lesson.x * (there / (1 - DROP_INPUT)).astype(np.float32)
        below = x @ w_in + b_in
        hidden = np.maximum(below, .01 * below)
        heard = np.concatenate([hidden, *extract._means(hidden, lesson.features)], 1)
        mask = (self.chance.random(heard.shape, dtype=np.float32) > DROP) * np.float32(1 / (1 - DROP))
        heard = heard * mask
        above = heard @ w_middle + b_middle
        seen = np.maximum(above, .01 * above)
        likely = 1 / (1 + np.exp(-np.clip(seen @ w_out[:, 0] + b_out, -30, 30)))

        wrong = loss_gradient(likely, lesson.labels, lesson.features.words)[:, None].astype(np.float32)
        d_above = (wrong @ w_out.T) * np.where(above > 0, 1, .01).astype(np.float32)
        d_heard = d_above @ w_middle.T * mask
        parts = [d_heard[:, start:start + HIDDEN] for start in range(0, d_heard.shape[1], HIDDEN)]
        d_below = (parts[0] + spread_back(parts[1:], lesson.features)) * np.where(below > 0, 1, .01).astype(np.float32)
        return [x.T @ d_below, d_below.sum(0), heard.T @ d_above, d_above.sum(0), seen.T @ wrong, wrong.sum(0)]

    def learn(self, lesson: Lesson, rate: float) -> None:
        """One step of Adam, with the weights decayed."""
        self.steps += 1
        for at, (weights, gradient) in enumerate(zip(self.weights, self.gradients(lesson), strict=True)):
            self.means[at] = .9 * self.means[at] + .1 * gradient
            self.squares[at] = .999 * self.squares[at] + .001 * gradient * gradient
            size = np.sqrt(self.squares[at] / (1 - .999 ** self.steps)) + 1e-6
            step = self.means[at] / (1 - .9 ** self.steps) / size + (DECAY * weights if weights.ndim == 2 else 0)
            weights -= (rate * step).astype(np.float32)


def loss_gradient(likely: np.ndarray, labels: np.ndarray, words: np.ndarray) -> np.ndarray:  # by each block's logit
    """Of the cross entropy, blocks weighted by the root of their length, and of one minus the page's soft F1."""
    weight, share = np.sqrt(words), words / words.sum()
    both, all_ = (share * labels * likely).sum(), (share * (labels + likely)).sum() + 1e-6
    soft_f1 = 2 * share * (labels * all_ - both) / all_ ** 2
    return (likely - labels) * weight / weight.sum() - soft_f1 * likely * (1 - likely)


def fit_scorer(
    samples: Sequence[Sample],  # The pages to learn from
    mode: str,  # "best" or "fast"
    names: dict[str, int],
    phrases: dict[str, int],
    seed: int = 0,
    quiet: bool = False,
) -> Scorer:
    """The kinds' regression and the networks, learnt from the pages."""
    chance = np.random.default_rng(seed + 5)
    features = [extract.block_features(sample.blocks, names, phrases) for sample in samples]
    about = np.stack([extract.kind_features(s.html, s.url, f) for s, f in zip(samples, features, strict=True)]).astype(float)
    kinds = np.array([sample.kind for sample in samples])
    weights = fit_kinds(about, kinds)
    folds, told = np.array([fold_of(sample.url, "kind", 5) for sample in samples]), np.zeros((len(samples), len(KINDS)))
    for fold in np.unique(folds):  # of a page it has seen, the regression would be too sure
        unseen = Scorer(names, phrases, fit_kinds(about[folds != fold], kinds[folds != fold]))
        for at in np.flatnonzero(folds == fold): told[at] = unseen.kinds(samples[at].html, samples[at].url, features[at])

    def ballot(votes: np.ndarray, words: np.ndarray) -> np.ndarray:
        return extract._ballot(votes[:, :2 if mode == "best" else 0], words)
    plain = {"mean": np.float32(0), "spread": np.float32(1), "limit": np.float32(1e9)}
    raw = [extract._inputs(f, k, ballot(s.votes, f.words), plain) for s, f, k in zip(samples, features, told, strict=True)]
    every = np.concatenate(raw)
    weights |= {"mean": every.mean(0), "spread": every.std(0) + .1, "limit": np.float32(4)}
    lessons = []
    for sample, own, kind in zip(samples, features, told, strict=True):
        lessons.append(Lesson(extract._inputs(own, kind, ballot(sample.votes, own.words), weights), sample.labels, own))
        for _ in range(COPIES):
            thin, kept = thinned(sample, chance)
            less = extract.block_features(thin, names, phrases)
            x = extract._inputs(less, kind, ballot(sample.votes[kept], less.words), weights)
            lessons.append(Lesson(x, sample.labels[kept], less))
    nets = [Net(every.shape[1], seed + number) for number in range(NETS[mode])]
    steps = EPOCHS * len(lessons)
    for net in nets:
        orders = np.concatenate([net.chance.permutation(len(lessons)) for _ in range(EPOCHS)])
        for step, at in enumerate(tqdm(orders, desc=mode, disable=quiet)):
            net.learn(lessons[at], RATE * (1 - step / steps) + 1e-5)
    parts = list(zip(*(net.weights for net in nets), strict=True))
    weights |= {
        "in": np.concatenate(parts[0], 1), "in_bias": np.concatenate(parts[1]), "middle": np.stack(parts[2]),
        "middle_bias": np.stack(parts[3]), "out": np.stack(parts[4])[:, :, 0], "out_bias": np.stack(parts[5])[:, 0]}
    return Scorer(names, phrases, {name: np.asarray(array, np.float32) for name, array in weights.items()})


# ---------------------------------------------------------------------------------------------------- the two jobs
def try_out(samples: Sequence[Sample], folds: int, modes: Iterable[str], seed: int) -> None:
    """Prints the mean word F1 by cross-validation over hosts."""
    for mode in modes:
        start, scores = time.perf_counter(), defaultdict(list)
        for fold in range(folds):
            seen = [s for s in samples if fold_of(s.url, "x", folds) != fold]
            names, phrases = learn_names(seen), learn_phrases(seen)
            scorer = fit_scorer(seen, mode, names, phrases, seed, quiet=True)
            for sample in (s for s in samples if fold_of(s.url, "x", folds) == fold):
                features = extract.block_features(sample.blocks, names, phrases)
                kinds = scorer.kinds(sample.html, sample.url, features)
                votes = extract._ballot(sample.votes[:, :2 if mode == "best" else 0], features.words)
                kept = extract.choose_blocks(scorer.score(features, kinds, votes), features.words)
                text = " ".join(text for text, keep in zip(sample.blocks.texts, kept, strict=True) if keep)
                scores[KINDS[sample.kind]].append(word_f1(text, sample.text))
        everything = [score for many in scores.values() for score in many]
        by_kind = "  ".join(f"{kind} {np.mean(scores[kind]):.3f}" for kind in KINDS if scores[kind])
        print(f"{mode}: {np.mean(everything):.4f} of {len(everything)} pages in {time.perf_counter() - start:.0f} s")
        print(f"   {by_kind}", flush=True)


def save_scorers(path: Path, scorers: dict[str, Scorer]) -> None:
    """One file for all modes, in half precision, written whole or not at all."""
    some = next(iter(scorers.values()))
    arrays = {"vocabulary": np.array(list(some.vocabulary)), "lexicon": np.array(list(some.lexicon))}
    for mode, scorer in scorers.items():
        arrays |= {f"{mode}.{name}": array.astype(np.float16) for name, array in scorer.weights.items()}
    with atomic_path(path) as temporary, temporary.open("wb") as file: np.savez_compressed(file, **arrays)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the arguments and does the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="pages, .jsonl or .jsonl.xz")
    parser.add_argument("--out", type=Path, help="where the weights go, a .npz")
    parser.add_argument("--folds", type=int, default=0, help="cross-validate with so many folds instead")
    parser.add_argument("--modes", nargs="+", choices=sorted(NETS), default=sorted(NETS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if not given.folds and not given.out: parser.error("say where to write (--out), or how many folds to try (--folds)")
    pages = [page for page in read_pages(given.data) if half_of(page["url"]) == 0 and page["text"]]
    samples = [make_sample(page) for page in tqdm(pages, desc="pages")]
    samples = [sample for sample in samples if len(sample.blocks)]
    if given.folds: return try_out(samples, given.folds, given.modes, given.seed)
    names, phrases = learn_names(samples), learn_phrases(samples)
    save_scorers(given.out, {mode: fit_scorer(samples, mode, names, phrases, given.seed) for mode in NETS})


if __name__ == "__main__": main()
