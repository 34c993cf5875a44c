"""Inputs of the actions, checked and typed."""
