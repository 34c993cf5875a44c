// Reads a JSON object of schema and documents from standard input; prints the errors that ajv finds in each document.
// Each schema is compiled alone and as strictly as SchemaStore compiles it; ajv itself fetches nothing.

import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";

const { schema, documents } = JSON.parse(readFileSync(0, "utf-8"));
const validate = new Ajv2020({ strict: true, allErrors: true }).compile(schema);
const errors = documents.map((document) => (validate(document) ? [] : validate.errors));
process.stdout.write(JSON.stringify(errors));
