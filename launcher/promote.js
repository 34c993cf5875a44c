"use strict";

require("./main.js").run("promote");
