package main

import (
	"path/filepath"

	"github.com/urfave/cli/v2"

	"twokey/secrets"
)

// keyCommand groups what is about keys.
func keyCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "show the host's public key, or make a key for signing users' files elsewhere",
		Subcommands: []*cli.Command{
			{
				Name:  "recipient",
				Usage: "print this host's public key, for twokey apply --recipient on another machine",
				Description: "Whoever has it can make users' files that only this host can read. The host takes such a file if it is signed by a key\n" +
					"that stands under provisioners in its configuration.",
				Action: func(c *cli.Context) error { return keyRecipientAction(c, ui) },
			},
			{
				Name:      "new-signer",
				Usage:     "make a key that signs users' files on a machine that is not their host",
				ArgsUsage: "[FILE]",
				Description: "Writes the private key to FILE, by default " + signerFile + " in this folder, and prints the public one: a line for\n" +
					"provisioners in the configuration of each host. Needs neither root nor a host.",
				Flags:  []cli.Flag{dryRunFlag()},
				Action: func(c *cli.Context) error { return newSignerAction(c, ui) },
			},
		},
	}
}

// signerFile is where a signing key is written when nobody says.
const signerFile = "twokey-signer.key"

func keyRecipientAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	key, err := secrets.OpenHostKey(h.path(h.policy.Paths.Key))
	if err != nil {
		return err
	}
	defer key.Wipe()
	ui.say("%s", key.Recipient())
	return ui.object(struct {
		Recipient string `json:"recipient"`
	}{key.Recipient()})
}

func newSignerAction(c *cli.Context, ui *ui) error {
	if c.Args().Len() > 1 {
		return badUsage("key new-signer takes one file")
	}
	ui.json = c.Bool("json")
	path, err := filepath.Abs(or(c.Args().First(), signerFile))
	if err != nil {
		return err
	}
	if c.Bool(dryRun) {
		ui.say("Would write a new signing key to %s.", visible(path))
		return nil
	}
	signer, err := secrets.GenerateSigningKey(path)
	if err != nil {
		return err
	}
	ui.say("%s", signer)
	ui.aside("The private key is in " + path + ": whoever has it can give users of the hosts that trust it a device.\n" +
		"The line above belongs under provisioners in the configuration of those hosts.\n")
	return ui.object(struct {
		File   string `json:"file"`
		Signer string `json:"signer"`
	}{path, signer.String()})
}
