#!/usr/bin/python3
"""few_threads.py COUNT PROGRAM ARGUMENT...: runs a program as a user that may have COUNT threads.

The user is one that no other process has, since the limit counts all of a user's threads, and the
superuser's are not limited. The program is opened before its user changes, so that it may lie where
only the superuser can look.
"""
import os
import resource
import sys

UNUSED_USER = 61234

count = int(sys.argv[1])
program = os.open(sys.argv[2], os.O_RDONLY)
os.setgroups([])
os.setgid(UNUSED_USER)
os.setuid(UNUSED_USER)
resource.setrlimit(resource.RLIMIT_NPROC, (count, count))
os.execve(program, sys.argv[2:], os.environ)
