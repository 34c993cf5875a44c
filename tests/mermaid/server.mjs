// Reads lines, each a JSON array of Mermaid diagrams. Answers each line with a line: a JSON array with the tasks that
// mermaid finds in each diagram, or an error.
import { createInterface } from "node:readline";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");

async function answer(text) {
  try {
    await mermaid.parse(text);
    const { db, type } = await mermaid.mermaidAPI.getDiagramFromText(text);
    const tasks = db.getTasks().map(({ task, section, startTime, endTime, done, crit }) => ({
      name: task.trim(), section, seconds: (endTime - startTime) / 1000, done: !!done, crit: !!crit,
    }));
    return { type, tasks };
  } catch (error) {
    return { error: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const answers = [];
  for (const text of JSON.parse(line)) answers.push(await answer(text));
  process.stdout.write(JSON.stringify(answers) + "\n");
}
