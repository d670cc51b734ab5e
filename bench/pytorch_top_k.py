"""Times PyTorch's routing of 4096 tokens on one thread; router_bench runs this beside its own.

Usage: pytorch_top_k.py EXPERTS K. Prints the PyTorch version and three CPU times in seconds, each
the fastest of 50 calls: softmax then topk, softmax then topk then renormalise, topk then softmax.
"""
import sys
import time

import torch

TOKENS = 4096
CALLS = 50


def softmax_then_top_k(logits, k):
    return torch.topk(torch.softmax(logits, dim=-1), k, dim=-1)


def softmax_then_top_k_renormalised(logits, k):
    weights, ids = softmax_then_top_k(logits, k)
    return weights / weights.sum(dim=-1, keepdim=True), ids


def top_k_then_softmax(logits, k):
    weights, ids = torch.topk(logits, k, dim=-1)
    return torch.softmax(weights, dim=-1), ids


def seconds(route, logits, k):
    times = []
    for _ in range(CALLS):
        start = time.process_time()
        route(logits, k)
        times.append(time.process_time() - start)
    return min(times)


def main():
    experts, k = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    logits = torch.randn(TOKENS, experts)
    ways = (softmax_then_top_k, softmax_then_top_k_renormalised, top_k_then_softmax)
    with torch.no_grad():
        print(torch.__version__, *(seconds(way, logits, k) for way in ways))


if __name__ == "__main__":
    main()
