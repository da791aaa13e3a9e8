#include "resolver/resolutions.h"

#include <chrono>
#include <memory>
#include <utility>

#include "base/strings.h"
#include "dns/extended_errors.h"
#include "resolver/error_reply.h"

namespace dotward {

ResolutionPtr Answered(ImagePtr image, const ExchangeTrace& trace) {
  Resolution answer;
  answer.image = std::move(image);
  answer.trace = trace;
  return std::make_shared<const Resolution>(std::move(answer));
}

ResolutionPtr FailureFor(const absl::Status& status, const ExchangeTrace& trace) {
  ErrorReply reply = ErrorReplyFor(status);
  Resolution failure;
  failure.trace = trace;
  failure.rcode = reply.rcode;
  failure.errors.push_back(std::move(reply.error));
  return std::make_shared<const Resolution>(std::move(failure));
}

ResolutionPtr FailureFrom(const UpstreamResponse& response, const Classification& classification,
                          const ExchangeTrace& trace) {
  Resolution failure;
  failure.trace = trace;
  const bool about_the_question = classification.kind == ResponseKind::kFailure &&
                                  classification.rcode != Rcode::kNoError && classification.rcode != Rcode::kNxDomain &&
                                  classification.rcode != Rcode::kFormErr && classification.rcode < Rcode::kBadVers;
  failure.rcode = about_the_question ? classification.rcode : Rcode::kServFail;
  failure.bogus = response.error_author == ErrorAuthor::kOurs;
  failure.errors = ExtendedErrorsOf(response.message->scan(), *response.upstream, response.error_author);
  if (failure.errors.empty()) {
    failure.errors.push_back({failure.rcode == Rcode::kServFail ? EdeCode::kNoReachableAuthority : EdeCode::kOther,
                              StrCat(*response.upstream, ": answered ", RcodeToString(response.message->scan().rcode()),
                                     "; ", classification.not_cacheable_because)});
  }
  return std::make_shared<const Resolution>(std::move(failure));
}

ResolutionPtr GivenUp(std::string_view why) {
  Resolution given_up;
  given_up.errors.push_back({EdeCode::kNoReachableAuthority, std::string(why)});
  return std::make_shared<const Resolution>(std::move(given_up));
}

ResolutionPtr Remembered(const RememberedFailure& failure, SteadyTime now) {
  Resolution told;
  told.rcode = failure.told->rcode;
  told.errors = failure.told->errors;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(failure.until - now).count();
  told.errors.push_back(
      {EdeCode::kCachedError, StrCat("this failure is remembered; the question is asked again in ", seconds, " s")});
  return std::make_shared<const Resolution>(std::move(told));
}

ResolutionPtr Stale(ImagePtr image, std::string why, const Resolution* failure) {
  Resolution stale;
  const bool denial = image->rcode() == Rcode::kNxDomain;
  stale.errors.push_back({denial ? EdeCode::kStaleNxdomainAnswer : EdeCode::kStaleAnswer, std::move(why)});
  if (failure != nullptr) {
    stale.errors.insert(stale.errors.end(), failure->errors.begin(), failure->errors.end());
    stale.trace = failure->trace;
  }
  stale.image = std::move(image);
  stale.stale = true;
  return std::make_shared<const Resolution>(std::move(stale));
}

}  // namespace dotward
