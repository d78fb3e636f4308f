"""The idea itself: machines, plans, and what is due.

Pure. It knows links, and nothing of storage, UCAN or HTTP.
"""
