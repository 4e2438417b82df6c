// The penstock-load program: everything is in load::run_command_line().
#include "penstock/load/command_line.h"

int main(int argc, char** argv) { return penstock::load::run_command_line(argc, argv); }
