#include "admin/status_site.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_replace.h>
#include <sys/random.h>

#include <array>

#include "admin/metrics.h"
#include "admin/statistics_json.h"
#include "admin/status_page.h"
#include "base/limits.h"
#include "base/strings.h"

namespace dotward {
namespace {

// The page loads nothing and asks nobody but us; its one script and one style bear a word that nobody can know
// beforehand, so that no text which might come to stand in the page could run.
HttpReply StatusPage() {
  std::array<char, 16> random{};
  static_cast<void>(!getrandom(random.data(), random.size(), 0));  // cannot fail for so few octets
  const std::string nonce = absl::WebSafeBase64Escape(absl::string_view(random.data(), random.size()));
  const absl::string_view page(kStatusPage.data(), kStatusPage.size());
  const absl::string_view placeholder(kStatusPageNonce.data(), kStatusPageNonce.size());
  return {.content_type = "text/html; charset=utf-8",
          .body = absl::StrReplaceAll(page, {{placeholder, nonce}}),
          .content_security_policy =
              StrCat("default-src 'none'; script-src 'nonce-", nonce, "'; style-src 'nonce-", nonce,
                     "'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")};
}

}  // namespace

HttpReply StatusSite::Get(const std::string& path) {
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") return Ready();
  if (path == "/metrics")
    return {.content_type = std::string(kMetricsContentType), .body = RenderMetrics(Statistics())};
  if (path == "/api/v1/stats") return {.content_type = "application/json", .body = RenderJson(Statistics()) + "\n"};
  if (path == "/") return StatusPage();
  return {.status = 404, .body = "There is: / /metrics /healthz /readyz /api/v1/stats\n"};
}

HttpReply StatusSite::Ready() const {
  if (sources_.ready()) return {.body = "ready\n"};
  return {.status = 503, .body = "stopping\n"};
}

const StatisticsSnapshot& StatusSite::Statistics() {
  const SteadyTime now = clock_.Now();
  if (!snapshot_ || now - taken_at_ >= Limits::kStatisticsReuse) {
    snapshot_ = sources_.statistics();
    taken_at_ = now;
  }
  return *snapshot_;
}

}  // namespace dotward
