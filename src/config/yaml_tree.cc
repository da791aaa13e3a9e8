#include "config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <exception>
#include <sstream>

#include "base/limits.h"
#include "base/strings.h"

namespace dotward {
namespace {

Position PositionOf(const YAML::Mark& mark) {
  return mark.is_null() ? Position{1, 1} : Position{mark.line + 1, mark.column + 1};
}

// True where the quoted scalar that begins at `at` has its closing quote. The parser takes the end of the text for one
// where a line break precedes it, and so would swallow the rest of a file as one value.
bool IsClosed(std::string_view text, size_t at) {
  const char quote = text[at];
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != '\'') return true;
      ++i;  // '' is a quote within single quotes
    }
  }
  return false;
}

// Where the value begins whose anchor or "!" may stand at `at`.
size_t SkipAnchor(std::string_view text, size_t at) {
  constexpr std::string_view kBlank = " \t\r\n";
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    at = text.find_first_not_of(kBlank, std::min(text.find_first_of(kBlank, at), text.size()));
  }
  return at;
}

// Sound YAML that we do not take. The parser can only be stopped by an exception; ReadYaml catches it.
class Refusal final : public YAML::ParserException {
 public:
  using ParserException::ParserException;
};

// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, YamlTree* tree) : text_(text), tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    ++documents_;
    if (documents_ == 1) return;
    const auto at = static_cast<size_t>(std::max(mark.pos, 0));
    if (at < text_.size() && text_.substr(at).starts_with("---")) {
      throw Refusal(mark, "a second document begins here; a file holds one configuration");
    }
    // What the parser calls a document without a marker is the rest of a mapping whose first key was indented more.
    throw Refusal(mark, "this does not continue what stands above; indent all keys of a mapping alike");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Add(YamlKind::kNull, mark, anchor); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (anchor >= anchors_.size() || !anchors_[anchor].complete) {
      throw Refusal(mark, "an alias may not stand inside what it refers to");
    }
    Attach(anchors_[anchor].node);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckTag(mark, tag);
    const size_t at = SkipAnchor(text_, static_cast<size_t>(std::max(mark.pos, 0)));
    if (at < text_.size() && (text_[at] == '"' || text_[at] == '\'') && !IsClosed(text_, at)) {
      throw Refusal(mark, "the quote that begins here is never closed");
    }
    YamlNode& node = Add(YamlKind::kScalar, mark, anchor);
    node.quoted = tag == "!";
    node.text = value;
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(YamlKind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(YamlKind::kMapping, mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Anchor {
    uint32_t node = 0;
    bool complete = false;  // false while its collection is still open
  };
  struct OpenCollection {
    uint32_t node;
    YAML::anchor_t anchor;
  };

  static void CheckTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw Refusal(mark, "YAML tags (\"!…\") are not supported; drop it");
  }

  void Attach(uint32_t index) {
    if (open_.empty()) {
      tree_->root = index;
    } else {
      tree_->nodes[open_.back().node].children.push_back(index);
    }
  }

  YamlNode& Add(YamlKind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (tree_->nodes.size() == Limits::kConfigNodesMax) {
      throw Refusal(mark, StrCat("more than ", Limits::kConfigNodesMax, " values"));
    }
    const auto index = static_cast<uint32_t>(tree_->nodes.size());
    tree_->nodes.push_back({kind, false, PositionOf(mark), {}, {}});
    Attach(index);
    if (anchor != YAML::NullAnchor) {
      if (anchor >= anchors_.size()) anchors_.resize(anchor + 1);
      anchors_[anchor] = {index, true};
    }
    return tree_->nodes.back();
  }

  void Open(YamlKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    CheckTag(mark, tag);
    if (open_.size() == Limits::kConfigDepthMax) {
      throw Refusal(mark, StrCat("more than ", Limits::kConfigDepthMax, " levels of nesting"));
    }
    Add(kind, mark, anchor);
    if (anchor != YAML::NullAnchor) anchors_[anchor].complete = false;
    open_.push_back({static_cast<uint32_t>(tree_->nodes.size() - 1), anchor});
  }

  void Close() {
    const OpenCollection closed = open_.back();
    open_.pop_back();
    if (closed.anchor != YAML::NullAnchor) anchors_[closed.anchor].complete = true;
  }

  const std::string_view text_;
  YamlTree* const tree_;
  size_t documents_ = 0;
  std::vector<OpenCollection> open_;
  std::vector<Anchor> anchors_;  // by the parser's number, which counts from 1
};

// The parser's words for the commonest slips, in those of somebody who edits a file.
std::string Explain(const std::string& message) {
  using namespace YAML::ErrorMsg;
  struct Explanation {
    std::string_view message;
    std::string_view text;
  };
  const std::array kExplanations = {
      Explanation{MAP_VALUE,
                  "a \":\" does not fit here; look for wrong indentation, for a line above that lacks its "
                  "\":\", and put a text that has \": \" in it in quotes"},
      Explanation{UNKNOWN_TOKEN, "a text may not begin with this character; put it in quotes"},
      Explanation{END_OF_SEQ_FLOW, "a \"[\" before this is not closed, or a \",\" is missing"},
      Explanation{END_OF_MAP_FLOW, "a \"{\" before this is not closed, or a \",\" is missing"},
      Explanation{END_OF_SEQ,
                  "this is not indented like the list above it, or a value with brackets or colons is not "
                  "in quotes"},
      Explanation{END_OF_MAP,
                  "this is not indented like the keys above it, or a value with brackets or colons is not "
                  "in quotes"},
      Explanation{BLOCK_ENTRY, "a \"- \" does not fit here; look for wrong indentation"},
      Explanation{FLOW_END, "a bracket is closed that was not opened"},
      Explanation{UNKNOWN_ANCHOR, "there is no anchor (\"&name\") of this name above"}};
  for (const Explanation& explanation : kExplanations) {
    if (std::string_view(message).starts_with(explanation.message)) return std::string(explanation.text);
  }
  return message;
}

// True where the line is indented with a tab, which is what most often stands behind a ":" or "- " that does not fit.
bool IsIndentedWithTab(std::string_view text, Position position) {
  size_t begin = 0;
  for (int line = 1; line < position.line; ++line) {
    const size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return false;
    begin = end + 1;
  }
  const std::string_view line = text.substr(begin);
  const size_t tab = line.find('\t');
  return tab != std::string_view::npos && tab == line.find_first_not_of(' ');
}

}  // namespace

YamlResult ReadYaml(std::string_view text, int source) {
  YamlResult result;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(text, &result.tree);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    result.problem = TextProblem{PositionOf(refusal.mark), refusal.msg};
  } catch (const YAML::Exception& exception) {
    const Position position = PositionOf(exception.mark);
    result.problem =
        TextProblem{position, StrCat("not valid YAML: ", IsIndentedWithTab(text, position)
                                                             ? std::string("indent with spaces, not with tabs")
                                                             : Explain(exception.msg))};
  } catch (const std::exception& exception) {
    result.problem = TextProblem{{}, StrCat("cannot be read: ", exception.what())};
  }
  if (result.problem) result.problem->position.source = source;
  for (YamlNode& node : result.tree.nodes) node.position.source = source;
  return result;
}

}  // namespace dotward
