"use strict";

require("./main.js").run("matrix");
