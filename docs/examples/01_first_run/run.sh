#!/usr/bin/env bash
# The first answer: a built-in trace on two H100 nodes.
switchyard demo
