#!/usr/bin/env python3
"""The figures of ac_vs_plain.md: python3 docs/studies/ac_vs_plain.py [SEEDS]"""
import bisect
import collections
import itertools
import random
import statistics
import sys
import tempfile

from common import Trace, compare, load_balance, settings, simulate, switchyard, write_tensors

SEEDS = range(1, 1 + int(sys.argv[1] if len(sys.argv) > 1 else 5))
WORK = tempfile.mkdtemp()
K, HIDDEN, EXPERT_HIDDEN = 2, 2048, 1408  # the width that is priced: DeepSeek-V2-Lite's
# One router, so that all else is equal: name -> its parameters.
ROUTERS = {"plain": {"plain_layers": 1000}, "language": {"plain_layers": 1},
           "swin": {"plain_layers": 1, "normalisation": "swin"},
           "language, global": {"plain_layers": 1, "statistics": "global"}}
VARIANTS = [name for name in ROUTERS if name != "plain"]


def of_router(parameters):
    return {f"router__{name}": value for name, value in {"k": K, **parameters}.items()}


# The topics that workload latent_clusters drew are not in the trace: drawn here again.
def engine(seed):
    """std::mt19937_64"""
    mask = 2**64 - 1
    state = [seed]
    for at in range(1, 312):
        state.append((6364136223846793005 * (state[-1] ^ state[-1] >> 62) + at) & mask)
    while True:
        for at in range(312):
            mixed = state[at] & ~0x7FFFFFFF & mask | state[(at + 1) % 312] & 0x7FFFFFFF
            state[at] = state[(at + 156) % 312] ^ mixed >> 1 ^ (0xB5026F5AA96619E9 * (mixed & 1))
        for word in state:
            word ^= word >> 29 & 0x5555555555555555
            word ^= word << 17 & 0x71D67FFFEDA60000
            word ^= word << 37 & 0xFFF7EEE000000000
            yield word ^ word >> 43


def mix_bits(state, value):
    mask = 2**64 - 1
    mixed = (state ^ value) + 0x9E3779B97F4A7C15 & mask
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
    return mixed ^ mixed >> 31


def uniform(seed, *path):
    state = mix_bits(0, seed)
    for step in path:
        state = mix_bits(state, step)
    return (bits * 2.0**-64 for bits in engine(state))


def lottery(count, exponent):
    ends = list(itertools.accumulate((rank + 1.0) ** -exponent for rank in range(count)))
    return lambda lot: min(bisect.bisect_right(ends, lot * ends[-1]), count - 1)


def drawn_topics(trace, seed, ranks, tokens, topics=64, zipf=0.8, persistence=0.9, sequence=512):
    """Topic of every token, rank by rank; checked against the trace's token ids."""
    draw, word, ids = lottery(topics, zipf), lottery(2000, 1.0), trace.tensor("token_ids")
    rows, truth = trace.rows(trace.layers[0]), []
    for rank in range(ranks):
        lots, words = uniform(seed, 4, 0, rank), uniform(seed, 5, 0, rank)
        for token in range(tokens):
            keeps = token % sequence != 0 and next(lots) < persistence
            truth.append(truth[-1] if keeps else draw(next(lots)))
            expected = mix_bits(truth[-1], word(next(words))) % 32000
            assert ids[rows[rank * tokens + token]] == expected, "the generator draws otherwise"
    return truth


def measures(trace, layer, truth, clean=None, direct=False):
    """purity of the first choice and balance of all choices in one layer."""
    ids, k, rows = trace.tensor("expert_ids"), trace.k, trace.rows(layer)
    first = [ids[row * k] for row in rows]
    kept = [at for at in range(len(rows)) if clean is None or clean[at]]
    if direct:
        hits = sum(first[at] == truth[at] for at in kept)
    else:
        cells = collections.Counter((first[at], truth[at]) for at in kept)
        best = collections.Counter()
        for (expert, _), count in cells.items():
            best[expert] = max(best[expert], count)
        hits = sum(best.values())
    loads = collections.Counter(ids[row * k + slot] for row in rows for slot in range(k))
    balance = load_balance([loads[expert] for expert in range(trace.experts)])
    return hits / len(kept), balance


def cost(trace, ranks, layers):
    """MB between nodes, us of both exchanges, us of the layer: means over the layers given."""
    trace.price_at_width(HIDDEN)
    result = simulate(trace.path, "--ranks", ranks, *settings(model__hidden=HIDDEN,
                      model__expert_hidden=EXPERT_HIDDEN))
    chosen = [row for row in result["layers"] if row["layer"] in layers]
    mean = lambda key: statistics.mean(row[key] for row in chosen)
    return (mean("inter_node_bytes") / 1e6, 1e6 * (mean("dispatch_s") + mean("combine_s")),
            1e6 * mean("layer_s"), mean("rank_imbalance"))


def generated():
    """latent_clusters, whose gates are random directions; EP 64 on 8 nodes."""
    ranks, tokens, layers = 64, 512, 3
    table = collections.defaultdict(lambda: collections.defaultdict(list))
    for seed in SEEDS:
        truth = None
        for name, parameters in ROUTERS.items():
            path = f"{WORK}/generated.safetensors"
            switchyard("route", "--router", "ac", "--ranks", ranks, "--tokens", tokens, "--layers",
                       layers, "--seed", seed, "-q", "--force", "-o", path,
                       *settings(workload__hidden=64, **of_router(parameters)))
            trace = Trace(path)
            truth = truth or drawn_topics(trace, seed, ranks, tokens)
            found = [measures(trace, layer, truth) for layer in (1, 2)]
            row = table[name]
            row["purity, layers 1-2"].append(statistics.mean(f[0] for f in found))
            row["load std, %: mean of layers"].append(statistics.mean(f[1] for f in found))
            row["load std, %: std of layers"].append(statistics.stdev(f[1] for f in found))
            for label, value in zip(COSTS, cost(trace, ranks, (1, 2))):
                row[label].append(value)
    return table


COSTS = ("MB between nodes", "dispatch + combine, us", "MoE layer, us", "rank imbalance")


# Gaussian mixture whose gate rows are the centroids, as if trained: 16 clusters, 64 coordinates,
# centroids N(0, .25^2), sigma .1 in 16 random coordinates and 1 in the others.
CLUSTERS, WIDTH, RANKS, TOKENS = 16, 64, 16, 256
CONDITIONS = {  # share of wrong labels, share of spoilt tokens, isotropic, labels by routing
    "true labels": (0, 0, False, False),
    "20 % of labels random": (0.2, 0, False, False),
    "all labels random": (1, 0, False, False),
    "labels from a plain gate": (0, 0, False, True),
    "20 % random, 30 % of tokens noise": (0.2, 0.3, False, False),
    "20 % random, isotropic sigma .7": (0.2, 0, True, False),
}


def mixture(seed):
    lot = random.Random(seed)
    centroids = [[lot.gauss(0, 0.25) for _ in range(WIDTH)] for _ in range(CLUSTERS)]
    widths = []
    for _ in range(CLUSTERS):
        tight = set(lot.sample(range(WIDTH), 16))
        widths.append([0.1 if at in tight else 1.0 for at in range(WIDTH)])
    truth = [lot.randrange(CLUSTERS) for _ in range(RANKS * TOKENS)]
    noise = [[lot.gauss(0, 1) for _ in range(WIDTH)] for _ in truth]
    other = [[lot.gauss(0, 1) for _ in range(WIDTH)] for _ in truth]
    return lot, centroids, widths, truth, noise, other


def states(data, condition):
    """[layer 0, layer 1] and which tokens are clean."""
    lot, centroids, widths, truth, noise, other = data
    wrong, spoilt, isotropic, routed = condition
    lot = random.Random(repr(condition))
    labels = [lot.randrange(CLUSTERS) if lot.random() < wrong else cluster for cluster in truth]
    clean = [lot.random() >= spoilt for _ in truth]

    def around(token, deviate):
        cluster = truth[token]
        sizes = [0.7] * WIDTH if isotropic else widths[cluster]
        return [c + s * g for c, s, g in zip(centroids[cluster], sizes, deviate[token])]

    before = [x for token, label in enumerate(labels)
              for x in (around(token, other) if routed else centroids[label])]
    # A spoilt token is noise of standard deviation 3 and nothing else.
    here = [x for token in range(len(truth))
            for x in (around(token, noise) if clean[token] else [3 * g for g in noise[token]])]
    return (before, here), clean


def trained():
    tables = {}
    for seed in SEEDS:
        data = mixture(seed)
        gate = [x for row in data[1] for x in row]
        write_tensors(f"{WORK}/gate.safetensors", {f"gate.{layer}": (CLUSTERS, gate)
                                                   for layer in (0, 1)})
        for condition, values in CONDITIONS.items():
            layers, clean = states(data, values)
            write_tensors(f"{WORK}/hidden.safetensors",
                          {f"hidden.{at}": (RANKS * TOKENS, layer) for at, layer in
                           enumerate(layers)})
            for name, parameters in ROUTERS.items():
                path = f"{WORK}/mixture.safetensors"
                switchyard("route", "--router", "ac", "--hidden", f"{WORK}/hidden.safetensors",
                           "--gate", f"{WORK}/gate.safetensors", "--ranks", RANKS, "-q", "--force",
                           "-o", path, *settings(**of_router(parameters)))
                trace = Trace(path)
                row = tables.setdefault((condition, name), collections.defaultdict(list))
                purity, balance = measures(trace, 1, data[3], clean, direct=True)
                row["purity"].append(purity)
                row["load std, %"].append(balance)
                if condition == "20 % of labels random":
                    for label, value in zip(COSTS, cost(trace, RANKS, (1,))):
                        row[label].append(value)
    return tables


print("== generated clusters, random gates, EP 64 on 8 nodes: plain | AC | difference")
table = generated()
for name in VARIANTS:
    for label in table["plain"]:
        print(f"| {label}, {name} |", compare(table["plain"][label], table[name][label]), "|")
print("\n== mixture, gates = centroids: plain | AC | difference")
found = trained()
for condition in CONDITIONS:
    for measure in ("purity", "load std, %"):
        for name in VARIANTS:
            print(f"| {condition}, {measure}, {name} |",
                  compare(found[condition, "plain"][measure], found[condition, name][measure]), "|")
print("\n== mixture, 20 % of labels random, EP 16 on 2 nodes")
for name in VARIANTS:
    for label in COSTS:
        runs = [found["20 % of labels random", kind][label] for kind in ("plain", name)]
        print(f"| {label}, {name} |", compare(*runs), "|")
