// Validates an OpenAPI document against the schema of its version, which must be 3.1, and
// resolves its references.
import { Validator } from "@seriousme/openapi-schema-validator";

const validator = new Validator();
const result = await validator.validate(process.argv[2]);
if (!result.valid) {
  console.log(JSON.stringify(result.errors, null, 1));
  process.exit(1);
}
if (validator.version !== "3.1") {
  console.log("the document is of OpenAPI " + validator.version);
  process.exit(1);
}
validator.resolveRefs();
