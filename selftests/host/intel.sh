# shellcheck shell=bash
intel_check() { die_setup "intel: not there yet"; }
intel_limit() { echo 600; }
intel_memory() { echo 512; }
