"""The idea itself: machines, plans and what is due. Pure; it knows links, not storage, UCAN or HTTP."""
