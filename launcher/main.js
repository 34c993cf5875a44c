"use strict";

// The start of a step by GitHub's runner. Only a JavaScript action gets the token of GitHub's cache service, which
// `cache-to: type=gha` needs (actions/runner 2.336, src/Runner.Worker/Handlers/NodeScriptActionHandler.cs). The rest is
// Python: the launcher finds an interpreter, passes the inputs on, and ends with the exit code of the step.

const { spawn } = require("node:child_process");
const os = require("node:os");
const path = require("node:path");
const { candidates, isPython2, lacksLibrary } = require("./python.js");

const WINDOWS = process.platform === "win32";
const START = path.join(__dirname, "..", "action", "start.py");
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const SIGNAL_CODES = 128;

// The same as CACHE_SERVICE in action/process/search.py.
const CACHE_SERVICE = /^ACTIONS_(?:CACHE|RESULTS|RUNTIME)_/u;
const INPUT = "INPUT_";

// Exit codes of programs that are not a usable Python. No step ends with one of them.
const TOO_OLD = 86; // of action/start.py
const INCOMPLETE = 87; // the same
const NOT_EXECUTABLE = 126; // of a script that starts another program, such as a shim of pyenv
const NOT_FOUND = 127; // the same
const STORE = 9009; // of the stub on Windows that opens the Microsoft Store
const UNUSABLE = new Map([
  [TOO_OLD, "is older"],
  [INCOMPLETE, "lacks modules of the standard library, as Debian's python3-minimal does"],
  [NOT_EXECUTABLE, "does not start Python"],
  [NOT_FOUND, "does not start Python"],
  [STORE, "is not Python"],
]);

/**
 * Separate the variables that the runner sets only for a JavaScript action from the rest of the environment.
 *
 * The runner names the variable of an input after the input, in upper case, with `_` for a space; a hyphen stays
 * (actions/runner 2.336, src/Runner.Worker/Handlers/Handler.cs, AddInputsToEnvironment).
 *
 * @param {Record<string, string>} whole The environment of this process.
 * @returns {{message: string, environment: Record<string, string>}} The line for the step, and its environment.
 */
function separate(whole) {
  const inputs = {};
  const variables = {};
  const environment = {};
  for (const [name, value] of Object.entries(whole)) {
    if (name.startsWith(INPUT)) {
      inputs[name.slice(INPUT.length).toLowerCase()] = value;
    } else if (CACHE_SERVICE.test(name)) {
      variables[name] = value;
    } else {
      environment[name] = value;
    }
  }
  return { message: `${JSON.stringify({ inputs, variables })}\n`, environment };
}

/**
 * Run a step with a program that may be a Python.
 *
 * @param {string} python The path of the program.
 * @param {string} step The step of action/start.py.
 * @param {{message: string, environment: Record<string, string>}} given What the step gets.
 * @returns {Promise<{code: number} | {reason: string}>} The exit code of the step, or why the program cannot run it.
 */
function attempt(python, step, { message, environment }) {
  return new Promise((resolve) => {
    const unusable = (error) => resolve({ reason: `cannot be started (${error.code})` });
    const options = {
      env: environment,
      stdio: ["pipe", "inherit", "inherit"],
      // A process group of its own: a signal to the group of this process must not reach the step twice.
      detached: !WINDOWS,
    };
    let child = null;
    try {
      child = spawn(python, ["-I", "-S", START, step, "--launched"], options);
    } catch (error) {
      // Some errors are thrown and others are events (node, lib/internal/child_process.js, ChildProcess.spawn).
      unusable(error);
      return;
    }
    // On Windows a signal of the console reaches the step by itself, and kill() would end it without cleaning up.
    const forward = WINDOWS ? () => {} : (signal) => child.kill(signal);
    for (const signal of SIGNALS) {
      process.on(signal, forward);
    }
    child.on("error", unusable);
    child.on("exit", (code, signal) => {
      for (const each of SIGNALS) {
        process.off(each, forward);
      }
      const reason = UNUSABLE.get(code);
      resolve(reason ? { reason } : { code: signal ? SIGNAL_CODES + os.constants.signals[signal] : code });
    });
    // A program that is not Python may end without reading it. Without a free file descriptor there is no pipe.
    child.stdin?.on("error", () => {});
    // The pipe stays open: its end tells the step that this process was killed.
    child.stdin?.write(message);
  });
}

/**
 * Run a step with the first usable Python, and end with its exit code.
 *
 * @param {"build" | "bake" | "matrix" | "merge" | "promote" | "validate"} step The step of action/start.py.
 */
async function run(step) {
  const given = separate(process.env);
  const rejected = [];
  for (const python of candidates(given.environment)) {
    const { code, reason } = isPython2(python, given.environment)
      ? { reason: "is older" }
      : // oxlint-disable-next-line no-await-in-loop -- the next one is only started if this one is unusable
        await attempt(python, step, given);
    // The dynamic linker ends with 1, as a step does that failed.
    const unusable = reason ?? (code === 1 && lacksLibrary(python, given.environment) ? "does not start" : "");
    if (!unusable) {
      process.exitCode = code;
      return;
    }
    rejected.push(`${python} ${unusable}`);
  }
  const found = rejected.length > 0 ? ` (${rejected.join("; ")})` : "";
  const text = `Python 3.10 or later is needed${found}: run actions/setup-python before this step, or install it on the runner or in the image`;
  // The escapes of a workflow command; a path can contain each of these.
  const escaped = text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  process.stdout.write(`::error::${escaped}\n`);
  process.exitCode = 1;
}

module.exports = { run };
