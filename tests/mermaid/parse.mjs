// Reads a JSON array of Mermaid diagrams, and writes for each the tasks that mermaid finds in it, or an error.
import { JSDOM } from "jsdom";

const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const answers = [];
for (const text of JSON.parse(Buffer.concat(chunks).toString("utf8"))) {
  try {
    await mermaid.parse(text);
    const { db, type } = await mermaid.mermaidAPI.getDiagramFromText(text);
    const tasks = db.getTasks().map(({ task, section, startTime, endTime, done, crit }) => ({
      name: task.trim(), section, seconds: (endTime - startTime) / 1000, done: !!done, crit: !!crit,
    }));
    answers.push({ type, tasks });
  } catch (error) {
    answers.push({ error: String(error) });
  }
}
process.stdout.write(JSON.stringify(answers));
