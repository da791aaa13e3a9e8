#include "dns/rdata_layout.h"

#include <array>

#include "dns/types.h"

namespace dotward {
namespace {

constexpr uint8_t kAny = RdataLayout::kAnyTail;

constexpr std::array<RdataLayout, 256> MakeTable() {
  std::array<RdataLayout, 256> table{};
  const RdataLayout one_name = {.names = 1, .may_compress = true};
  const RdataLayout two_names = {.names = 2, .may_compress = true};
  for (const int type : {2, 3, 4, 5, 7, 8, 9, 12}) table[static_cast<size_t>(type)] = one_name;  // NS … PTR
  table[6] = {.names = 2, .tail = 20, .may_compress = true};                                     // SOA
  table[14] = two_names;                                                                         // MINFO
  table[15] = {.fixed = 2, .names = 1, .may_compress = true};                                    // MX
  table[17] = two_names;                                                                         // RP
  table[18] = {.fixed = 2, .names = 1, .may_compress = true};                                    // AFSDB
  table[21] = {.fixed = 2, .names = 1, .may_compress = true};                                    // RT
  table[23] = {.names = 1};                                                                      // NSAP-PTR
  table[24] = {.fixed = 18, .names = 1, .tail = kAny, .may_compress = true};                     // SIG
  table[26] = {.fixed = 2, .names = 2, .may_compress = true};                                    // PX
  table[30] = {.names = 1, .tail = kAny, .may_compress = true};                                  // NXT
  table[33] = {.fixed = 6, .names = 1, .may_compress = true};                                    // SRV
  table[35] = {.fixed = 4, .strings = 3, .names = 1, .may_compress = true};                      // NAPTR
  table[36] = {.fixed = 2, .names = 1};                                                          // KX
  table[39] = {.names = 1};                                                                      // DNAME
  table[46] = {.fixed = 18, .names = 1, .tail = kAny};                                           // RRSIG
  table[47] = {.names = 1, .tail = kAny};                                                        // NSEC
  table[58] = {.names = 2};                                                                      // TALINK
  table[64] = {.fixed = 2, .names = 1, .tail = kAny};                                            // SVCB
  table[65] = {.fixed = 2, .names = 1, .tail = kAny};                                            // HTTPS
  table[107] = {.fixed = 2, .names = 1};                                                         // LP
  table[249] = {.names = 1, .tail = kAny};                                                       // TKEY
  table[250] = {.names = 1, .tail = kAny};                                                       // TSIG
  return table;
}

constexpr std::array<RdataLayout, 256> kTable = MakeTable();

}  // namespace

const RdataLayout* FindRdataLayout(uint16_t type) {
  if (type >= kTable.size() || kTable[type].names == 0) return nullptr;
  return &kTable[type];
}

}  // namespace dotward
