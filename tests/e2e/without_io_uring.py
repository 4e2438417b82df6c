#!/usr/bin/python3
"""Runs a program as a container does whose seccomp profile forbids io_uring: without_io_uring.py
ERRNO PROGRAM [ARGUMENTS]; the three system calls then fail with that errno (a number).
"""
import ctypes
import os
import struct
import sys

IO_URING_CALLS = (425, 426, 427)  # setup, enter, register: the same on every architecture
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
ALLOW, FAIL = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("=HBBI", code, if_true, if_false, value)


def main():
    last = len(IO_URING_CALLS) - 1
    code = instruction(LOAD_WORD, 0)  # the number of the system call
    for i, call in enumerate(IO_URING_CALLS):
        code += instruction(JUMP_IF_EQUAL, call, if_true=last - i + 1)
    code += instruction(RETURN, ALLOW) + instruction(RETURN, FAIL | int(sys.argv[1]))
    program = Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_NO_NEW_PRIVS) failed")
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        sys.exit("prctl(PR_SET_SECCOMP) failed")
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
