#ifndef DOTWARD_NET_NETWORK_CHANGE_H_
#define DOTWARD_NET_NETWORK_CHANGE_H_

#include <string>

namespace dotward {

// What has become different about this machine's network or its time, of which every connection may have died.
struct NetworkChange {
  bool addresses = false;
  bool routes = false;
  bool links = false;
  bool suspended = false;       // the machine slept and is back
  bool wall_clock_set = false;  // certificates may have become valid or invalid

  bool any() const { return addresses || routes || links || suspended || wall_clock_set; }
  NetworkChange& operator|=(const NetworkChange& other);
  bool operator==(const NetworkChange&) const = default;
  // "addresses, routes"; "nothing".
  std::string ToString() const;
};

}  // namespace dotward

#endif  // DOTWARD_NET_NETWORK_CHANGE_H_
