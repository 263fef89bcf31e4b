"""Backtesters that ours is measured beside. Each file is a program for the interpreter of the
peers' own environment, and imports nothing of ours but `measuring`.
"""
