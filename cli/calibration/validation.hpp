// The validation page: every data set of a recipe fitted on few rows, the others predicted, and the
// result written down whatever it is.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cli/calibration/calibration_run.hpp"

namespace switchyard {

/// One data set of a recipe (docs/validation/datasets.json).
struct ValidationDataset {
  std::string id;                             // names its figures
  std::string title;                          // heading
  std::string file;                           // below the data folder
  std::vector<std::string> series;            // columns that tell the lines of the figure apart
  std::string x;                              // column on the horizontal axis
  std::vector<std::string> figure_selection;  // column=value of the rows in the figure
  std::vector<std::string> notes;             // what to know, where it fails and why
  std::string preset;                         // name of the built-in calibration it is part of
  CalibrationRequest request;
};

struct ValidationRecipe {
  std::vector<ValidationDataset> datasets;
  std::vector<std::string> left_out;  // measurements that are not fitted, and why
};

/// Reads and checks a recipe; files are looked for below `data`. Throws InvalidInput with the place
/// of the mistake.
ValidationRecipe read_validation_recipe(const std::filesystem::path& recipe,
                                        const std::filesystem::path& data);

/// The page, and by name its figures (SVG) and the built-in calibrations (JSON).
struct ValidationPage {
  std::string markdown;
  std::map<std::string, std::string> figures;
  std::map<std::string, std::string> calibrations;
};

/// Runs every data set. `command` is what the page says regenerates it; `figure_folder` is the path
/// of the figures relative to the page.
ValidationPage validate(const ValidationRecipe& recipe,
                        const std::string& command,
                        const std::string& figure_folder);

}  // namespace switchyard
