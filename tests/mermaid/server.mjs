// Reads lines, each a JSON array of Mermaid diagrams. Answers each line with a line: a JSON array with the tasks that
// mermaid finds in each diagram, or an error.
import { createInterface } from "node:readline";
import { JSDOM } from "jsdom";

const MILLISECONDS = 1000;
const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");

async function answer(text) {
  try {
    await mermaid.parse(text);
    const { db, type } = await mermaid.mermaidAPI.getDiagramFromText(text);
    const tasks = db.getTasks().map(({ task, section, startTime, endTime, done, crit }) => ({
      name: task.trim(), section, seconds: (endTime - startTime) / MILLISECONDS, done: !!done, crit: !!crit,
    }));
    return { type, tasks };
  } catch (error) {
    return { error: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const answers = [];
  for (const text of JSON.parse(line)) {
    // oxlint-disable-next-line no-await-in-loop -- mermaid keeps the diagram that it parsed last in a global variable
    answers.push(await answer(text));
  }
  process.stdout.write(`${JSON.stringify(answers)}\n`);
}
