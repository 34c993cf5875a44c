"use strict";

// The same as CACHE_SERVICE in action/process/search.py.
const CACHE_SERVICE = /^ACTIONS_(?:CACHE|RESULTS|RUNTIME)_/u;
const INPUT = "INPUT_";

/**
 * Separate the variables that the runner sets for a JavaScript action.
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

module.exports = { separate };
