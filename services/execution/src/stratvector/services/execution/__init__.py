"""execution: claims and sends approved orders, records what the broker did; the only one that
talks to brokers.
"""
