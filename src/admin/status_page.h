#ifndef DOTWARD_ADMIN_STATUS_PAGE_H_
#define DOTWARD_ADMIN_STATUS_PAGE_H_

#include <string_view>

namespace dotward {

// status_page.html, as it was when the program was built. kStatusPageNonce stands where the page has to bear the nonce
// of the policy that it is sent with.
extern const std::string_view kStatusPage;
inline constexpr std::string_view kStatusPageNonce = "{{nonce}}";

}  // namespace dotward

#endif  // DOTWARD_ADMIN_STATUS_PAGE_H_
