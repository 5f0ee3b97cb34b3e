// headrace topic: lists, creates, deletes, describes and imports topics.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

#include "app/commands.h"
#include "app/commands/cluster_options.h"
#include "app/commands/topic_import.h"
#include "app/commands/validators.h"

namespace headrace::app {
namespace {

struct Arguments {
  ClusterArguments cluster;
  std::string topic;
  int32_t partitions = 1;
  int16_t replicas = -1;
  std::vector<std::string> configs;
  bool internal = false;
};

using Action = Status (*)(const Arguments&, bus::Admin&);

int64_t records(const bus::PartitionInfo& partition) { return partition.high_watermark - partition.log_start; }

/// What is to be known of a topic behind its records; nothing where all is well.
std::string trouble(const bus::TopicInfo& topic) {
  auto out = std::count_if(topic.partitions.begin(), topic.partitions.end(),
                           [](const bus::PartitionInfo& partition) { return partition.out_of_service; });
  if (out == 0) return "";
  return fmt::format("  {} partition{} out of service", out, out == 1 ? "" : "s");
}

Status list(const Arguments& arguments, bus::Admin& admin) {
  ASSIGN_OR_RETURN(auto topics, admin.topics());
  std::sort(topics.begin(), topics.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  size_t width = 5;
  for (const auto& topic : topics) width = std::max(width, topic.name.size());
  fmt::print("{:<{}}  {:>10}  {:>14}\n", "TOPIC", width, "PARTITIONS", "RECORDS");
  for (const auto& topic : topics) {
    if (topic.internal && !arguments.internal) continue;
    int64_t count = 0;
    for (const auto& partition : topic.partitions) count += records(partition);
    fmt::print("{:<{}}  {:>10}  {:>14}{}\n", topic.name, width, topic.partitions.size(), count, trouble(topic));
  }
  return {};
}

Status create(const Arguments& arguments, bus::Admin& admin) {
  ASSIGN_OR_RETURN(auto configs, parse_pairs(arguments.configs));
  RETURN_IF_ERROR(admin.create_topic({.name = arguments.topic,
                                      .partitions = arguments.partitions,
                                      .replication_factor = arguments.replicas,
                                      .configs = configs}));
  fmt::print("created {} with {} partition{}\n", arguments.topic, arguments.partitions,
             arguments.partitions == 1 ? "" : "s");
  return {};
}

Status remove(const Arguments& arguments, bus::Admin& admin) {
  RETURN_IF_ERROR(admin.delete_topic(arguments.topic));
  fmt::print("deleted {}\n", arguments.topic);
  return {};
}

Status describe(const Arguments& arguments, bus::Admin& admin) {
  ASSIGN_OR_RETURN(auto topic, admin.topic(arguments.topic));
  fmt::print("{}: {} partition{}{}\n", topic.name, topic.partitions.size(), topic.partitions.size() == 1 ? "" : "s",
             topic.internal ? ", internal" : "");
  fmt::print("\n{:>9}  {:>14}  {:>14}  {:>14}\n", "PARTITION", "FIRST OFFSET", "NEXT OFFSET", "RECORDS");
  for (const auto& partition : topic.partitions) {
    fmt::print("{:>9}  {:>14}  {:>14}  {:>14}{}\n", partition.id.value, partition.log_start.value,
               partition.high_watermark.value, records(partition),
               partition.out_of_service ? "  out of service: it can be read, and takes no more records" : "");
  }
  fmt::print("\n");
  for (const auto& [name, value] : topic.configs) fmt::print("{} = {}\n", name, value);
  return {};
}

CLI::App* add_action(CLI::App& app, const char* name, const char* help, bool named, Arguments& arguments, Action action,
                     Action& chosen) {
  CLI::App* sub = app.add_subcommand(name, help);
  if (named) sub->add_option("TOPIC", arguments.topic, "The topic's name")->required();
  add_cluster_options(*sub, arguments.cluster);
  sub->callback([&chosen, action] { chosen = action; });
  return sub;
}

void add_import(CLI::App& app, TopicImportArguments& arguments, bool& chosen) {
  CLI::App* sub = app.add_subcommand("import", "Bring in topics from folders that Apache Kafka wrote");
  sub->add_option("DIR", arguments.folders,
                  "Partition folders (.../mytopic-0), or log.dirs, of brokers that do not run")
      ->required();
  sub->add_option("--data", arguments.data, "The data folder of an instance that does not run")->required();
  sub->add_option("-c,--config", arguments.configs,
                  "A property of the topics, as in -c cleanup.policy=compact (repeatable)")
      ->allow_extra_args(false);
  sub->add_flag("--abort-transactions", arguments.abort_transactions,
                "Abort transactions that are open (otherwise they are an error)");
  sub->footer(
      "Every batch is checked and keeps its offset, times, keys, headers and producer; topic ids stay the same.\n"
      "Kafka's own topics (__consumer_offsets and the like) are left out.");
  sub->callback([&chosen] { chosen = true; });
}

Function<int()> setup(CLI::App& app) {
  struct State {
    Arguments arguments;
    Action action = nullptr;
    TopicImportArguments import;
    bool import_chosen = false;
  };
  auto state = std::make_shared<State>();
  Arguments& arguments = state->arguments;
  app.require_subcommand(1);
  CLI::App* list_app =
      add_action(app, "list", "List topics with their partitions and records", false, arguments, list, state->action);
  list_app->add_flag("--internal", arguments.internal, "Internal topics too");
  CLI::App* create_app = add_action(app, "create", "Create a topic", true, arguments, create, state->action);
  create_app->add_option("-p,--partitions", arguments.partitions, "Partitions")
      ->capture_default_str()
      ->check(positive());
  create_app->add_option("-r,--replication-factor", arguments.replicas, "Replicas (the cluster's default)");
  create_app
      ->add_option("-c,--config", arguments.configs, "A topic property, as in -c retention.ms=604800000 (repeatable)")
      ->allow_extra_args(false);
  add_action(app, "delete", "Delete a topic and all its records", true, arguments, remove, state->action);
  add_action(app, "describe", "Show a topic's partitions, offsets and configuration", true, arguments, describe,
             state->action);
  add_import(app, state->import, state->import_chosen);
  app.footer("  headrace topic create events -p 4 -c retention.ms=7d\n  headrace topic describe events");
  return [state] {
    if (state->import_chosen) return import_topics(state->import);
    auto bus = connect_cluster(state->arguments.cluster);
    if (!bus.ok()) return fail("topic", bus.error());
    Status done = state->action(state->arguments, (*bus)->admin());
    return done.ok() ? 0 : fail("topic", done.error());
  };
}

}  // namespace

const Command& topic_command() {
  static constexpr Command kCommand{"topic", "List, create, delete, describe and import topics", setup};
  return kCommand;
}

}  // namespace headrace::app
