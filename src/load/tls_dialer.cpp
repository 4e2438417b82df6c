// Whose turn it is, and which session it offers.
#include "tls_dialer.h"

#include <algorithm>
#include <utility>

#include "penstock/base/assert.h"

namespace penstock::load {

TlsDialer::TlsDialer(tls::Context& context, TlsDialerOptions options)
    : context_(context), resume_share_(options.resume_share) {
  PENSTOCK_ASSERT(!options.server_names.empty());
  for (std::string& text : options.server_names) names_.push_back({.text = std::move(text)});
}

Result<std::unique_ptr<tls::Engine>> TlsDialer::next(Counters& count) {
  Name& name = names_[std::exchange(next_name_, (next_name_ + 1) % names_.size())];
  const tls::Session* session = session_to_offer(name);
  auto engine =
      tls::Engine::create_client(context_, {.server_name = name.text, .session = session});
  if (!engine) return engine;
  if (session != nullptr) ++count.sessions_offered;
  if (resume_share_ > 0) asked_for_.emplace(engine->get(), &name);
  return engine;
}

/// Evenly spread: with a share of 0.25 it is every fourth. Those that found nothing to offer, as
/// the first, are not made up for.
const tls::Session* TlsDialer::session_to_offer(Name& name) noexcept {
  owed_ += resume_share_;
  if (owed_ < 1) return nullptr;
  owed_ -= 1;
  if (name.sessions.empty()) return nullptr;
  name.next_offered = (name.next_offered + 1) % name.sessions.size();
  return &name.sessions[name.next_offered];
}

void TlsDialer::leave(tls::Engine& engine) {
  const auto found = asked_for_.find(&engine);
  if (found == asked_for_.end()) return;
  Name& name = *found->second;
  asked_for_.erase(found);
  tls::Session session = engine.take_session();
  if (session.empty()) return;
  if (name.sessions.size() < most_sessions) return name.sessions.push_back(std::move(session));
  name.sessions[name.next_replaced] = std::move(session);
  name.next_replaced = (name.next_replaced + 1) % most_sessions;
}

}  // namespace penstock::load
