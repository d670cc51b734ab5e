// The frame around every command: help, errors, suggestions, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Program, PrintsAShortHelpWhenCalledAlone) {
  const ProgramRun run = run_program({});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, AllOf(HasSubstr("usage: switchyard COMMAND"), HasSubstr("  list ")));
  EXPECT_EQ(run.errors, "");
}

TEST(Program, TellsItsVersion) {
  EXPECT_THAT(run_program({"--version"}).output, StartsWith("switchyard 0."));
}

TEST(Program, SuggestsTheNearestCommand) {
  const ProgramRun run = run_program({"lsit"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.errors, "error: no command is called \"lsit\"\n  did you mean \"list\"?\n");
  EXPECT_EQ(run.output, "");
}

TEST(Program, SuggestsTheNearestOption) {
  const ProgramRun run = run_program({"list", "--jsom"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.errors,
            "error: --jsom: no such option\n  did you mean \"--json\"?\n"
            "  all options: switchyard list --help\n");
}

TEST(Program, DoesNotGuessShortenedOptions) {
  EXPECT_EQ(run_program({"list", "--js"}).exit_code, 2);
}

TEST(Program, NamesAnOptionWithoutItsValue) {
  const ProgramRun run = run_program({"schema", "--output"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, StartsWith("error: --output: needs a value\n"));
}

TEST(Program, NamesASwitchWithAValue) {
  const ProgramRun run = run_program({"list", "--json=yes"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, StartsWith("error: --json: takes no value\n"));
}

TEST(Program, RefusesAnOptionGivenTwice) {
  const ProgramRun run = run_program({"schema", "-o", "a", "-o", "b"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, StartsWith("error: --output: given twice\n"));
}

TEST(Program, RefusesSurplusArguments) {
  const ProgramRun run = run_program({"schema", "a", "b"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, StartsWith("error: too many arguments\n"));
}

TEST(Program, SuggestsTheNearestKindToList) {
  const ProgramRun run = run_program({"list", "router"});
  EXPECT_EQ(run.exit_code, 0) << "the noun works as well as the plural";
  const ProgramRun mistyped = run_program({"list", "ruoters"});
  EXPECT_EQ(mistyped.exit_code, 2);
  EXPECT_THAT(mistyped.errors, HasSubstr("did you mean \"routers\"?"));
}

TEST(Program, NeverWritesOverAFileWithoutForce) {
  const TemporaryFolder folder;
  const auto file = folder.write("mine.txt", "precious");
  const ProgramRun run = run_program({"completion", "bash", "-o", file.string()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.errors,
            "error: " + file.string() + ": exists already\n  pass --force to replace it\n");
  EXPECT_EQ(run_program({"completion", "bash", "-o", file.string(), "--force"}).exit_code, 0);
}

TEST(Program, NamesAFolderThatDoesNotExist) {
  const ProgramRun run = run_program({"completion", "bash", "-o", "/nowhere/at/all.sh"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("/nowhere/at/all.sh: the folder does not exist"));
}

TEST(Program, NoticesAFullStandardOutput) {
  const ProgramRun run = run_shell("switchyard list > /dev/full");
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("standard output: cannot be written"));
}

TEST(Completion, LoadsInBashAndOffersCommandsAndOptions) {
  const ProgramRun run = run_shell(
      "source <(switchyard completion bash); COMP_WORDS=(switchyard complet); COMP_CWORD=1; "
      "_switchyard; echo ${COMPREPLY[*]}; COMP_WORDS=(switchyard list --js); COMP_CWORD=2; "
      "_switchyard; echo ${COMPREPLY[*]}");
  EXPECT_EQ(run.output, "completion\n--json\n") << run.errors;
}

TEST(Completion, KnowsOnlyThreeShells) {
  const ProgramRun run = run_program({"completion", "tcsh"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("no completion for the shell \"tcsh\""));
}

}  // namespace
}  // namespace switchyard::testing
