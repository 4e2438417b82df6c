// DemoFleet: three small HTTP servers on loopback for `penstock demo`, each on threads of its own,
// so that the demo needs nothing but the binary. They are cpp-httplib's; nothing of them is on
// penstock's data path.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/net/endpoint.h"

namespace penstock::app {

class DemoFleet {
 public:
  struct Member {
    std::string name;
    Endpoint address;
  };
  /// Starts `count` servers on ports that the kernel chooses. Error: no port, or no thread.
  [[nodiscard]] static Result<std::unique_ptr<DemoFleet>> start(int count);
  DemoFleet();
  DemoFleet(const DemoFleet&) = delete;
  DemoFleet& operator=(const DemoFleet&) = delete;
  ~DemoFleet();

  [[nodiscard]] std::vector<Member> members() const;

 private:
  class Server;
  std::vector<std::unique_ptr<Server>> servers_;
};

}  // namespace penstock::app
