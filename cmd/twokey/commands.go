package main

import "github.com/urfave/cli/v2"

// commands lists the commands in the order of the help text: the one place that has it.
func commands(ui *ui) []*cli.Command {
	return []*cli.Command{
		initCommand(ui),
		statusCommand(ui),
		enableCommand(ui),
		disableCommand(ui),
		enrollCommand(ui),
		unenrollCommand(ui),
		resetCommand(ui),
		listCommand(ui),
		showCommand(ui),
		deviceCommand(ui),
		recoveryCommand(ui),
		bypassCommand(ui),
		unlockCommand(ui),
		forgetCommand(ui),
		adoptCommand(ui),
		policyCommand(ui),
		configCommand(ui),
		applyCommand(ui),
		importCommand(ui),
		exportCommand(ui),
		keyCommand(ui),
		testCommand(ui),
		doctorCommand(ui),
		auditCommand(ui),
		smsCommand(ui),
		pushCommand(ui),
		remindCommand(ui),
		completionCommand(ui),
		versionCommand(ui),
		serveSelfCommand(ui),
		manCommand(ui),
	}
}

// testCommand groups what tries things out.
func testCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:        "test",
		Usage:       "try a code, or a whole login",
		Subcommands: []*cli.Command{testCodeCommand(ui), testLoginCommand(ui), transactionCommand()},
	}
}

// dryRun is the flag of every command that writes.
const dryRun = "dry-run"

func dryRunFlag() cli.Flag {
	return &cli.BoolFlag{Name: dryRun, Usage: "say what would be done, and do nothing"}
}
