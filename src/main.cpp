// The penstock program: everything is in app::run_command_line().
#include "penstock/app/command_line.h"

int main(int argc, char** argv) { return penstock::app::run_command_line(argc, argv); }
