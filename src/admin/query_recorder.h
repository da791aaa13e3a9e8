#ifndef DOTWARD_ADMIN_QUERY_RECORDER_H_
#define DOTWARD_ADMIN_QUERY_RECORDER_H_

#include "admin/query_log.h"
#include "resolver/query_observer.h"

namespace dotward {

// What is kept of single queries: the query log. One a worker, on its thread.
class QueryRecorder final : public QueryObserver {
 public:
  explicit QueryRecorder(QueryLog::Queue& log) : log_(log) {}

  void Answered(const AnsweredQuery& query) override {
    if (log_.Wants()) log_.Put(query);
  }

 private:
  QueryLog::Queue& log_;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_QUERY_RECORDER_H_
