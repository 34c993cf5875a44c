"use strict";

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const WINDOWS = process.platform === "win32";
// On Windows, `python3` is often the stub that opens the Microsoft Store, and every Python has a python.exe.
const NAMES = WINDOWS ? ["python.exe"] : ["python3", "python"];
const IN_TOOL_CACHE = WINDOWS ? ["python.exe"] : ["bin", "python3"];
const OLDEST_MINOR = 10;
const IS_PYTHON_2 = 77;
const PROBE_MILLISECONDS = 10_000;

/**
 * Return the path of a file without links, or null if there is no such file.
 *
 * @param {string} file The path.
 * @returns {string | null} The path without links.
 */
function withoutLinks(file) {
  try {
    return fs.realpathSync.native(file);
  } catch {
    return null;
  }
}

/**
 * Return a function that says whether a path leads into the workspace, which may contain untrusted files.
 *
 * A relative path does, since a step starts in the workspace. Both the name and the file that it links to must be
 * outside: a repository can contain links to the outside.
 *
 * @param {string | undefined} workspace The path of the workspace.
 * @returns {(file: string) => boolean} The function.
 */
function workspaceCheck(workspace) {
  const folder = path.resolve(workspace || ".");
  const folders = [folder, withoutLinks(folder)].filter((each) => each && path.dirname(each) !== each);
  const isInside = (file, parent) => {
    const way = path.relative(parent, file);
    return way !== ".." && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
  };
  return (file) =>
    !path.isAbsolute(file) ||
    [path.normalize(file), withoutLinks(file)].some((name) => name && folders.some((each) => isInside(name, each)));
}

/**
 * Return whether a path is a file that this process may run.
 *
 * @param {string} file The path.
 * @returns {boolean} The answer.
 */
function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * Compare two Pythons for sorting.
 *
 * @param {{rank: number[]}} one A Python.
 * @param {{rank: number[]}} other Another one; its rank has as many numbers.
 * @returns {number} A negative number if the first one has the higher rank.
 */
function newestFirst(one, other) {
  return other.rank.map((each, place) => each - one.rank[place]).find(Boolean) ?? 0;
}

/**
 * List the Pythons that actions/setup-python keeps, the newest first, and of one version that of this processor first.
 *
 * @param {string} cache The tool cache.
 * @returns {string[]} Paths, some of which may not exist.
 */
function inToolCache(cache) {
  const root = path.join(cache, "Python");
  let versions = [];
  try {
    versions = fs.readdirSync(root);
  } catch {
    // A self-hosted runner may have no tool cache.
  }
  const found = [];
  for (const version of versions) {
    const [, minor, patch] = /^3\.(\d+)\.(\d+)$/u.exec(version) ?? [];
    for (const processor of Number(minor) >= OLDEST_MINOR ? ["x64", "arm64"] : []) {
      const rank = [Number(minor), Number(patch), Number(processor === process.arch)];
      found.push({ rank, file: path.join(root, version, processor, ...IN_TOOL_CACHE) });
    }
  }
  // Not toSorted, which Node has since version 20: act runs an action with whichever Node its container has.
  found.sort(newestFirst);
  return found.map(({ file }) => file);
}

/**
 * Find programs that may be Python 3.10 or later: in PATH, then in the tool cache. None is in the workspace.
 *
 * @param {Record<string, string>} environment GITHUB_WORKSPACE and RUNNER_TOOL_CACHE are read.
 * @yields {string} The absolute path of a program; no program comes twice.
 */
function* candidates(environment) {
  const inWorkspace = workspaceCheck(environment.GITHUB_WORKSPACE);
  // Not `environment`: Windows calls it Path, and only process.env ignores the case.
  const entries = (process.env.PATH ?? "").split(path.delimiter);
  // A folder in the workspace is left out even if the program in it is a link to the outside.
  const folders = entries.filter((folder) => !inWorkspace(folder));
  const inPath = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const seen = new Set();
  for (const file of [...inPath, ...inToolCache(environment.RUNNER_TOOL_CACHE ?? "")]) {
    const real = withoutLinks(file);
    if (isProgram(file) && !inWorkspace(file) && !seen.has(real)) {
      seen.add(real);
      yield file;
    }
  }
}

/**
 * Return whether a program is Python 2, which a program named `python` can be.
 *
 * Python 2 ends with exit code 2 at the option -I, as a step does that has bad inputs.
 *
 * @param {string} file The path of the program.
 * @param {Record<string, string>} environment Its environment.
 * @returns {boolean} The answer.
 */
function isPython2(file, environment) {
  if (WINDOWS || path.basename(file) !== "python") {
    return false;
  }
  const code = `import sys; sys.exit(${IS_PYTHON_2} if sys.version_info[0] == 2 else 0)`;
  return probe(file, ["-E", "-s", "-S", "-c", code], environment) === IS_PYTHON_2;
}

/**
 * Return whether a Python ends with 1 before it runs anything: one of the tool cache may lack a library in a container.
 *
 * @param {string} file The path of the program.
 * @param {Record<string, string>} environment Its environment.
 * @returns {boolean} The answer; false if there is none in time, since a step that has built must not run again.
 */
function lacksLibrary(file, environment) {
  return probe(file, ["-I", "-S", "-c", ""], environment) === 1;
}

/**
 * Run a program in the root folder, where it imports nothing of the workspace.
 *
 * @param {string} file The path of the program.
 * @param {string[]} options Its arguments; they leave PYTHON… variables without effect.
 * @param {Record<string, string>} environment Its environment.
 * @returns {number | null} Its exit code, or null if it could not be started or took too long.
 */
function probe(file, options, environment) {
  const cwd = path.parse(file).root;
  return spawnSync(file, options, { cwd, env: environment, stdio: "ignore", timeout: PROBE_MILLISECONDS }).status;
}

module.exports = { candidates, isPython2, lacksLibrary };
