// The tables of a measured-timeline file, shared by its writer and its reader.
#pragma once

#include <string>
#include <string_view>

namespace switchyard {

/// CREATE statements. NULL everywhere means: not recorded.
inline constexpr std::string_view kTimelineTables = R"(
CREATE TABLE timeline (format_version INTEGER NOT NULL, program_version TEXT, format TEXT, source TEXT);
CREATE TABLE process (process INTEGER PRIMARY KEY, rank INTEGER, world_size INTEGER,
                      process_id INTEGER, host TEXT, epoch_unix_ns INTEGER);
CREATE TABLE device (process INTEGER, device INTEGER, name TEXT, multiprocessors INTEGER,
                     memory_bytes INTEGER);
CREATE TABLE name (name INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE event_kind (kind INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE event (process INTEGER NOT NULL, kind INTEGER NOT NULL, name INTEGER NOT NULL,
                    start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, device INTEGER,
                    stream INTEGER, correlation INTEGER, bytes INTEGER, peer_device INTEGER,
                    collective INTEGER);
CREATE TABLE collective (collective INTEGER PRIMARY KEY, operation INTEGER, data_type INTEGER,
                         communicator INTEGER, element_bytes INTEGER, in_elements INTEGER,
                         out_elements INTEGER, sequence INTEGER, group_size INTEGER,
                         source_rank INTEGER, destination_rank INTEGER, splits_cut INTEGER,
                         in_splits TEXT, out_splits TEXT, ranks TEXT);
CREATE TABLE summary (kind INTEGER, name INTEGER, process INTEGER, count INTEGER, total_ns INTEGER,
                      min_ns REAL, median_ns REAL, max_ns REAL);
CREATE TABLE timing (operation INTEGER, data_type INTEGER, ranks INTEGER, rank INTEGER,
                     bytes INTEGER, time_ns REAL, algorithm_bandwidth REAL, bus_bandwidth REAL,
                     in_place INTEGER, wrong INTEGER);
CREATE TABLE counter (process INTEGER, kernel INTEGER, counter TEXT, value REAL, unit TEXT);
CREATE TABLE note (kind TEXT, text TEXT, count INTEGER);
CREATE VIEW events AS
  SELECT process.rank AS rank, event.process AS process, event_kind.text AS kind,
         name.text AS name, event.start_ns, event.duration_ns, event.device, event.stream,
         event.correlation, event.bytes, event.peer_device, event.collective
  FROM event JOIN process USING (process) JOIN event_kind USING (kind) JOIN name USING (name);
)";

/// "INSERT INTO table VALUES (?, ?, ...)"
inline std::string insert_statement(std::string_view table, int columns) {
  std::string sql = "INSERT INTO " + std::string(table) + " VALUES (?";
  for (int i = 1; i < columns; ++i) {
    sql += ", ?";
  }
  return sql + ")";
}

}  // namespace switchyard
