"""The guardian: a small process that runs commands for the agent, measures them, and never lets them
outlive a lease.

It is a program of its own, started before anything else, so that it forks with one thread and without gRPC.
It ends all commands when the agent's end of the socket closes, and when the lease that the agent renews
runs out.
"""
