#!/usr/bin/env bash
# What would make this step faster? Every change is simulated, none is guessed.
switchyard demo -q --explain | sed -n '/^what if/,$p'
